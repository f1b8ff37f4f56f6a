// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace bifocal;

namespace {

using Words = std::vector<std::string>;

/// What can stand after an option, or as a positional argument.
struct Argument {
  Words names; ///< `-o`, `--output`; none for a positional
  std::string help;
  bool takesValue = false;
  Words values; ///< all that is allowed, where it is a list
  bool isFile = false;
};

struct VerbArguments {
  std::string name, help;
  std::vector<Argument> options, positionals;
};

/// The values of a CLI::IsMember, which shows them as `{a,b}` in the name of the type.
Words membersOf(const CLI::Option &option) {
  const std::string type = option.get_type_name();
  const size_t begin = type.find('{'), end = type.find('}');
  return begin == std::string::npos || end == std::string::npos
             ? Words()
             : CLI::detail::split(type.substr(begin + 1, end - begin - 1), ',');
}

Argument describe(const CLI::Option &option) {
  Argument argument;
  for (const std::string &name : option.get_snames())
    argument.names.push_back("-" + name);
  for (const std::string &name : option.get_lnames())
    argument.names.push_back("--" + name);
  argument.help = option.get_description();
  argument.takesValue = option.get_items_expected_max() > 0;
  argument.values = membersOf(option);
  const std::string type = option.get_type_name();
  argument.isFile = argument.takesValue && argument.values.empty() && !type.starts_with("INT") &&
                    !type.starts_with("UINT") && !type.starts_with("FLOAT") && !type.starts_with("TIME");
  return argument;
}

/// The verbs of the program and their arguments, as its parser knows them.
std::vector<VerbArguments> describe(const CLI::App &app) {
  std::vector<VerbArguments> verbs;
  for (const CLI::App *verb : app.get_subcommands([](const CLI::App *) { return true; })) {
    VerbArguments entry{verb->get_name(), verb->get_description(), {}, {}};
    for (const CLI::Option *option : verb->get_options())
      (option->get_positional() ? entry.positionals : entry.options).push_back(describe(*option));
    verbs.push_back(std::move(entry));
  }
  return verbs;
}

Words namesOf(const std::vector<VerbArguments> &verbs) {
  Words names;
  for (const VerbArguments &verb : verbs)
    names.push_back(verb.name);
  return names;
}

/// 'text' for a shell.
std::string quote(std::string text) {
  for (size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 4)
    text.replace(at, 1, "'\\''");
  return "'" + text + "'";
}

std::string bashCases(const VerbArguments &verb) {
  std::string values, text;
  Words names;
  for (const Argument &option : verb.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
    if (!option.takesValue || option.isFile)
      continue;
    Words patterns;
    for (const std::string &name : option.names)
      patterns.push_back(fmt::format("'{} {}'", verb.name, name));
    // A number has no words to choose from.
    values +=
        fmt::format("    {}) kind=words words='{}' ;;\n", fmt::join(patterns, "|"), fmt::join(option.values, " "));
  }
  for (const Argument &option : verb.options)
    if (option.isFile)
      for (const std::string &name : option.names)
        values += fmt::format("    '{} {}') kind=files ;;\n", verb.name, name);
  text += fmt::format("    '{} -'*) kind=words words='{}' ;;\n", verb.name, fmt::join(names, " "));
  for (const Argument &positional : verb.positionals)
    if (!positional.values.empty())
      text += fmt::format("    '{} '*) kind=words words='{}' ;;\n", verb.name, fmt::join(positional.values, " "));
  return values + "\x1f" + text;
}

std::string bashScript(const std::vector<VerbArguments> &verbs) {
  std::string values, others;
  for (const VerbArguments &verb : verbs) {
    const std::string both = bashCases(verb);
    values += both.substr(0, both.find('\x1f'));
    others += both.substr(both.find('\x1f') + 1);
  }
  return fmt::format(R"(# Completion of bifocal in bash. Load it with: source <(bifocal completion bash)
_bifocal() {{
  local verb=${{COMP_WORDS[1]}} current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
  local kind= words=
  COMPREPLY=()
  # Bash sees --flag=value as three words.
  if [[ $current == = ]]; then
    current=
  elif [[ $previous == = ]]; then
    previous=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '{} --help --version' -- "$current"))
    return
  fi
  case "$verb $previous" in
{}  esac
  [[ $kind ]] || case "$verb $current" in
{}  esac
  if [[ $kind == words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    compopt -o filenames 2>/dev/null
    local IFS=$'\n'
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -F _bifocal bifocal
)",
                     fmt::join(namesOf(verbs), " "), values, others);
}

/// Text in a specification of _arguments, where brackets and colons mean something.
std::string zshText(const std::string &text) {
  std::string result;
  for (char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\')
      result += '\\';
    result += c;
  }
  return result;
}

std::string zshAction(const Argument &argument) {
  return argument.isFile ? "_files" : fmt::format("({})", fmt::join(argument.values, " "));
}

std::string zshScript(const std::vector<VerbArguments> &verbs) {
  std::string list, cases;
  for (const VerbArguments &verb : verbs) {
    list += fmt::format("    {}\n", quote(zshText(verb.name) + ":" + verb.help));
    cases += fmt::format("    {}) _arguments", verb.name);
    for (const Argument &option : verb.options)
      for (const std::string &name : option.names)
        cases += " \\\n      " +
                 quote(fmt::format("{}{}[{}]{}", name, option.takesValue && name.size() > 2 ? "=" : "",
                                   zshText(option.help), option.takesValue ? ": :" + zshAction(option) : ""));
    for (const Argument &positional : verb.positionals)
      cases += " \\\n      " + quote("*:" + zshText(positional.help) + ":" + zshAction(positional));
    cases += " ;;\n";
  }
  return fmt::format(R"(#compdef bifocal
# Completion of bifocal in zsh. Load it with: source <(bifocal completion zsh)
_bifocal() {{
  local -a verbs=(
{}  )
  if ((CURRENT == 2)); then
    _describe verb verbs
    return
  fi
  local verb=$words[2]
  shift words
  ((CURRENT--))
  case $verb in
{}  esac
}}
compdef _bifocal bifocal
)",
                     list, cases);
}

std::string fishScript(const std::vector<VerbArguments> &verbs) {
  std::string text = "# Completion of bifocal in fish. Load it with: bifocal completion fish | source\n";
  for (const VerbArguments &verb : verbs) {
    text += fmt::format("complete -c bifocal -f -n __fish_use_subcommand -a {} -d {}\n", verb.name, quote(verb.help));
    const std::string begin = fmt::format("complete -c bifocal -n '__fish_seen_subcommand_from {}'", verb.name);
    for (const Argument &option : verb.options) {
      text += begin;
      for (const std::string &name : option.names)
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (option.takesValue)
        text += option.isFile ? " -rF" : fmt::format(" -xa '{}'", fmt::join(option.values, " "));
      text += fmt::format(" -d {}\n", quote(option.help));
    }
    for (const Argument &positional : verb.positionals)
      text +=
          positional.isFile ? begin + " -F\n" : fmt::format("{} -fa '{}'\n", begin, fmt::join(positional.values, " "));
  }
  return text;
}

} // namespace

void tools::addCompletion(CLI::App &app, int &exitCode) {
  auto shell = std::make_shared<std::string>();
  CLI::App *verb = app.add_subcommand("completion", "Print what makes a shell complete verbs, flags and values");
  verb->add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  verb->callback([&app, shell] {
    const std::vector<VerbArguments> verbs = describe(app);
    fmt::print("{}", *shell == "bash" ? bashScript(verbs) : *shell == "zsh" ? zshScript(verbs) : fishScript(verbs));
  });
}
