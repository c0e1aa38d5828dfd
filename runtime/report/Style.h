//===- Style.h - The style sheet of a report -------------------*- C++ -*-===//
#pragma once

namespace llamarun {

// Colours of lines are Okabe and Ito's (jfly.uni-koeln.de/color), which people
// who are colour blind tell apart; heat is from dark to light, legible in grey.
inline constexpr const char *kStyle = R"css(
:root { --page: #ffffff; --text: #1b1f24; --soft: #59636e; --grid: #e3e6ea; --mark: #fff4ce; }
.c0 { --c: #0072b2; } .c1 { --c: #d55e00; } .c2 { --c: #009e73; } .c3 { --c: #cc79a7; }
.c4 { --c: #e69f00; } .c5 { --c: #56b4e9; } .c6 { --c: #7f5539; } .c7 { --c: #6c757d; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171a; --text: #e6e9ec; --soft: #9aa4ae; --grid: #2d333a; --mark: #3d3415; }
  .c0 { --c: #4aa8e0; } .c1 { --c: #ff8a3d; } .c2 { --c: #2bc598; } .c3 { --c: #e59cc4; }
  .c4 { --c: #f2bf4b; } .c5 { --c: #8fd0f5; } .c6 { --c: #c39b7a; } .c7 { --c: #a9b2ba; }
}
body { background: var(--page); color: var(--text); font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 1180px; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 1.8rem 0 .6rem; } h3 { font-size: 1rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr)); gap: 1.2rem; align-items: start; }
figure { margin: 0; } figcaption { font-weight: 600; margin-bottom: .2rem; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--soft); font-size: 11px; }
.grid { stroke: var(--grid); } .axis { stroke: var(--soft); fill: none; }
.line { stroke: var(--c); stroke-width: 1.6; fill: none; stroke-linejoin: round; } .dashed .line { stroke-dasharray: 5 3; }
circle { fill: var(--c); stroke: transparent; stroke-width: 8; } circle:hover { stroke: var(--c); stroke-width: 3; }
.legend { margin: .3rem 0; color: var(--soft); } .legend span { margin-right: 1rem; white-space: nowrap; }
i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; background: var(--c); margin-right: .35em; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: .2rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--grid); overflow-wrap: anywhere; }
tr > th:first-child { white-space: nowrap; font-weight: 500; color: var(--soft); } .differ td { background: var(--mark); }
details > summary { cursor: pointer; font-size: 1.15rem; font-weight: 600; margin: 1.8rem 0 .6rem; }
.bar { display: flex; height: 1.3rem; background: var(--grid); border-radius: 3px; overflow: hidden; } .bar span { background: var(--c); }
.bar-name { margin: .6rem 0 .2rem; }
.heat td, .heat th { text-align: center; padding: .1rem .5rem; border: 1px solid var(--page); }
.h0 { background: #00005f; } .h1 { background: #000087; } .h2 { background: #005f87; } .h3 { background: #008787; } .h4 { background: #007a5e; }
.h0, .h1, .h2, .h3, .h4 { color: #ffffff; } .h5, .h6, .h7 { color: #000000; }
.h5 { background: #5faf87; } .h6 { background: #afd75f; } .h7 { background: #ffff00; }
@media print { body { max-width: none; } section { break-inside: avoid; } }
)css";

} // namespace llamarun
