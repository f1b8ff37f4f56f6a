# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Every target does its own set-up; on a machine that has it, nothing is done again.
TORCH ?= $(or $(wildcard $(BIFOCAL_TORCH_ENV)),.torch)
TORCH_DIR = $(firstword $(wildcard $(abspath $(TORCH))/lib/python3*/site-packages/torch))

.PHONY: help setup setup-tests build build-sanitized demo test clean

help: ## these lines
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## install the Debian packages that Bifocal needs
	@tools/ci/install-dependencies.sh

setup-tests: ## the same, and LibTorch, which the numerics tests compare with
	@tools/ci/install-dependencies.sh --torch

build: setup ## compile everything into build/, programs in build/bin
	@cmake --preset release $(if $(TORCH_DIR),-DBIFOCAL_TORCH_DIR=$(TORCH_DIR)) >build-configure.log 2>&1 || { cat build-configure.log; exit 1; }
	@rm -f build-configure.log
	@cmake --build build

build-sanitized: setup ## compile the fuzz programs and a bifocal without its compiler into build-sanitized/
	@cmake --preset sanitized >build-configure.log 2>&1 || { cat build-configure.log; exit 1; }
	@rm -f build-configure.log
	@cmake --build --preset sanitized

demo: build ## train a small LightConv model on generated pairs and translate with it
	@examples/demo/run.sh

test: setup-tests ## build and run every test; the last line is `N passed, N failed`
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory build-sanitized
	@python3 tools/ci/run_tests.py --build build

clean: ## remove what was built
	@rm -rf build build-* demo-work multi30k-work enwik8-work
