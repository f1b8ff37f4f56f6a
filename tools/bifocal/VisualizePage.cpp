// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/VisualizePage.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>

namespace bifocal::tools {
namespace {

using Kind = LayerView::Kind;

/// Colours by the setting of the reader; the weight of a cell is its opacity.
constexpr std::string_view styles = R"(
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--dim:#667080;--cell:#f1f3f6;--weight:#0b5cad;--minus:#c2410c}
@media(prefers-color-scheme:dark){
:root{--paper:#14171a;--ink:#e6e8ea;--dim:#98a2b0;--cell:#22272d;--weight:#79bdff;--minus:#ff9e64}}
body{background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;
margin:2rem auto;max-width:75rem;padding:0 1rem}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin:2.2rem 0 .2rem;font-family:ui-monospace,monospace}
p{margin:.2rem 0 .6rem;max-width:60rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem}dd{margin:0;overflow-wrap:anywhere}
dt,.dim,figcaption{color:var(--dim)}
nav{columns:24rem;font-family:ui-monospace,monospace;font-size:.85rem}nav a{display:block;color:var(--weight)}
.heads{display:flex;flex-wrap:wrap;gap:.8rem 1.2rem}figure{margin:0}figcaption{font-size:.8rem}
svg{max-width:100%;overflow:visible}svg.labels{position:absolute}
text{font:10px ui-monospace,monospace;fill:var(--ink)}.rows text,.end{text-anchor:end}.middle{text-anchor:middle}
svg rect{fill:var(--cell)}svg path{stroke:var(--weight);fill:none}svg path.m{stroke:var(--minus)}
svg .bar{fill:var(--weight);stroke:none}svg rect.m{fill:var(--minus)}
svg .ramp{fill:var(--weight);fill-opacity:.35;stroke:none}
svg .axis{stroke:var(--dim)}svg .mark{stroke:var(--ink);stroke-width:2}svg .wide{stroke-width:12}
.a0{opacity:0}.a1{opacity:.1}.a2{opacity:.2}.a3{opacity:.3}.a4{opacity:.4}
.a5{opacity:.5}.a6{opacity:.6}.a7{opacity:.7}.a8{opacity:.8}.a9{opacity:.9}
#tip{position:fixed;background:var(--ink);color:var(--paper);padding:.1rem .5rem;border-radius:.3rem;
font:13px ui-monospace,monospace;pointer-events:none}
)";

/// What a cell under the pointer is. Without it a page lacks only this.
constexpr std::string_view script = R"(
const tip=document.getElementById('tip');
const digits='ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const label=(group,i)=>document.getElementById(group).children[i].textContent;
document.addEventListener('mousemove',event=>{
  const map=event.target.closest('svg.map');tip.hidden=!map;if(!map)return;
  const data=map.dataset,cell=map.querySelector('rect').width.baseVal.value/data.columns;
  const point=new DOMPoint(event.clientX,event.clientY).matrixTransform(map.getScreenCTM().inverse());
  const row=Math.floor(point.y/cell),column=Math.floor(point.x/cell);
  tip.hidden=row<0||column<0||row>=+data.rows||column>=+data.columns;if(tip.hidden)return;
  const at=2*(row*data.columns+column),digit=i=>digits.indexOf(data.weights[i]);
  const weight=+data.low+data.step*(64*digit(at)+digit(at+1));
  tip.textContent=label(data.y,row)+' → '+label(data.x,column)+': '+weight.toFixed(3);
  tip.style.left=Math.min(event.clientX+14,innerWidth-tip.offsetWidth-8)+'px';tip.style.top=event.clientY+14+'px';
});
)";

std::string describeAttention(const LayerView &view) {
  const char *steps = view.ofSource ? "the source" : "the target";
  std::string text = view.ofSource == view.keysOfSource ? "Attention to its own steps"
                                                        : fmt::format("Attention of {} to the source", steps);
  text += ": a row is a token that looks, a column a token that is looked at.";
  if (view.kind == Kind::attention)
    text += " A row sums to 1.";
  else
    text += " The difference of two maps of weights: a row sums to 1 - lambda, and what the second map takes away has "
            "the other colour.";
  if (view.remembers)
    text += " (before): all weights on what the memory begins with, zeros.";
  return text;
}

std::string describe(const LayerView &view) {
  switch (view.kind) {
  case Kind::attention:
  case Kind::difference:
    return describeAttention(view);
  case Kind::taps:
    return fmt::format(
        "Taps of a convolution, the same for all tokens: the weight of each offset in tokens, 0 the token "
        "itself{}.",
        view.normalized ? "; they sum to 1" : ", as trained, not normalised");
  case Kind::tokenTaps:
    return fmt::format(
        "Taps of a dynamic convolution, which every token predicts for itself: a row is a token, a column "
        "an offset in tokens, 0 the token itself{}.",
        view.normalized ? "; a row sums to 1" : ", not normalised");
  case Kind::lambda:
    break;
  }
  return "";
}

/// The weight that has the full colour.
float scaleOf(const LayerView &view) {
  float most = 1;
  for (const float weight : view.values)
    most = std::abs(weight) > 1.0001f ? std::max(most, std::abs(weight)) : most;
  return most;
}

/// The mean over all rows of what a row lacks to 1.
double meanLambda(const LayerView &view, int64_t head) {
  double sum = 0;
  for (int64_t row = 0; row < view.rows; ++row)
    for (int64_t column = 0; column < view.columns; ++column)
      sum += static_cast<double>(view.at(head, row, column));
  return 1 - sum / static_cast<double>(view.rows);
}

std::string drawHeads(const LayerView &view) {
  const float scale = scaleOf(view);
  const auto [low, high] = std::ranges::minmax(view.values);
  std::string figures;
  for (int64_t head = 0; head < view.heads; ++head) {
    std::string note;
    if (view.kind == Kind::difference)
      note = fmt::format(", lambda {:.3f} on average", meanLambda(view, head));
    if (!view.spans.empty())
      note = fmt::format(", span {:.1f} tokens", view.spans[static_cast<size_t>(head)]);
    const std::string picture = view.kind == Kind::taps
                                    ? drawTaps(view, head, std::min(low, 0.0f), std::max(high, 1e-6f))
                                    : drawMap(view, head, scale);
    figures += fmt::format("<figure>{}<figcaption>head {}{}</figcaption></figure>\n", picture, head, note);
  }
  const std::string full =
      scale > 1 ? fmt::format("<p class=\"dim\">Full colour: {:.3f}.</p>\n", scale) : std::string();
  return fmt::format("{}<div class=\"heads\">\n{}</div>\n", full, figures);
}

std::string writeSection(const LayerView &view) {
  std::string text = fmt::format("<section id=\"{0}\">\n<h2>{0}</h2>\n<p>{1}</p>\n", escapeHtml(view.layer),
                                 escapeHtml(describe(view)));
  if (!view.spans.empty())
    text +=
        fmt::format("<p>Learned spans: how far back a head looks, at most {} tokens; the light end is the ramp of {} "
                    "tokens over which its weights fade.</p>\n{}\n",
                    view.longestSpan, view.ramp, drawSpans(view));
  return text + drawHeads(view) + "</section>\n";
}

std::string writeLegend(const std::vector<LayerView> &views) {
  const bool hasMaps = std::ranges::any_of(
      views, [](const LayerView &view) { return view.kind != Kind::taps && view.kind != Kind::lambda; });
  if (!hasMaps)
    return "";
  return "<h2>Weights</h2>\n<p>A weight is a share, without a unit; its opacity is the square root of its part of the "
         "full colour (1, unless a layer says otherwise), so that small ones show. The pointer says what a cell "
         "is.</p>\n" +
         drawScale() + "\n";
}

std::string writeLambdas(const std::vector<LayerView> &views) {
  if (std::ranges::none_of(views, [](const LayerView &view) { return view.kind == Kind::lambda; }))
    return "";
  return "<section id=\"lambda\">\n<h2>lambda</h2>\n<p>How much of the second map every layer takes from its first one "
         "(no unit). The mark is where training began.</p>\n" +
         drawLambdas(views) + "\n</section>\n";
}

} // namespace

int64_t layerNumber(std::string_view layer) {
  constexpr std::string_view key = "layers.";
  const size_t begin = layer.find(key);
  int64_t number = -1;
  if (begin != std::string_view::npos)
    std::from_chars(layer.data() + begin + key.size(), layer.data() + layer.size(), number);
  return number;
}

std::string writePage(const Page &page) {
  std::string facts, links, sections;
  for (const auto &[fact, value] : page.facts)
    facts += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escapeHtml(fact), escapeHtml(value));
  for (const LayerView &view : page.views) {
    if (view.kind == Kind::lambda)
      continue;
    links += fmt::format("<a href=\"#{0}\">{0}</a>\n", escapeHtml(view.layer));
    sections += writeSection(view);
  }
  const std::string title = escapeHtml(page.title);
  return fmt::format("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                     "'unsafe-inline'; script-src 'unsafe-inline'\">\n"
                     "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n<dl>\n{2}</dl>\n"
                     "{3}{4}{5}<nav>\n{6}</nav>\n{7}<div id=\"tip\" hidden></div>\n<script>{8}</script>\n"
                     "</body>\n</html>\n",
                     title, styles, facts, drawLabels(page), writeLegend(page.views), writeLambdas(page.views), links,
                     sections, script);
}

} // namespace bifocal::tools
