#pragma once

#include <string_view>

namespace webnnc::bundle {

// The style sheet of report.html, for light and dark screens.
inline constexpr std::string_view kReportStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #fbfbfd; --card: #fff; --ink: #1d1d24; --soft: #6a6a78; --line: #e4e4ec; --code: #f2f2f7;
  --input: #2f9e6e; --output: #d9762b; --activation: #4f6bed;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15151b; --card: #1e1e26; --ink: #ececf2; --soft: #9a9aab; --line: #32323e; --code: #272732;
    --input: #3fc08a; --output: #f0924a; --activation: #7c92ff;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 80px; }
header { display: flex; align-items: baseline; gap: 14px; flex-wrap: wrap; }
h1 { margin: 0; font-size: 32px; letter-spacing: -0.02em; overflow-wrap: anywhere; }
h2 { margin: 0 0 12px; font-size: 20px; letter-spacing: -0.01em; }
h3 { margin: 26px 0 8px; font-size: 15px; }
header p, p { color: var(--soft); margin: 0 0 10px; max-width: 75ch; }
p.lead { color: var(--ink); font-size: 17px; }
section { margin-top: 28px; padding: 22px 24px; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 14px; margin-top: 24px; }
.card { padding: 16px 18px; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.card b { display: block; font-size: 19px; letter-spacing: -0.01em; }
.card span { color: var(--soft); }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th { text-align: left; color: var(--soft); font-weight: 500; white-space: nowrap; }
th, td { padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child td { border-bottom: 0; }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
code, pre { font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { padding: 1px 5px; background: var(--code); border-radius: 5px; overflow-wrap: anywhere; }
code.type { white-space: nowrap; }
pre { margin: 6px 0; padding: 10px 12px; background: var(--code); border-radius: 8px; overflow-x: auto; }
summary { cursor: pointer; }
ul { margin: 6px 0; padding-left: 20px; }
svg.memory { display: block; width: 100%; height: auto; }
svg line { stroke: var(--line); }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
svg text.left { text-anchor: end; dominant-baseline: middle; }
svg text.below { text-anchor: middle; }
svg rect { fill-opacity: 0.55; stroke: var(--card); stroke-width: 0.8; }
svg rect:hover { fill-opacity: 1; }
rect.input { fill: var(--input); } rect.output { fill: var(--output); } rect.activation { fill: var(--activation); }
.legend i { display: inline-block; width: 11px; height: 11px; margin: 0 4px 0 12px; border-radius: 3px; }
.legend i.input { background: var(--input); margin-left: 0; } .legend i.output { background: var(--output); }
.legend i.activation { background: var(--activation); }
)css";

}  // namespace webnnc::bundle
