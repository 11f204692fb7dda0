"""How the page looks: one style sheet of ours, no data in it. Its greys are mixed from the theme's own text colour."""

# Drawn here, for Streamlit fetches the icons it names from a host on the internet.
ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="7" fill="#2f6f5e"/>
<path d="M6 20h5l3-10 5 14 3-8h4" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round"
stroke-linejoin="round"/></svg>"""

STYLE = """<style>
[data-testid="stMainBlockContainer"] {max-width: 1240px; padding: 3.2rem 2rem 4rem}
[data-testid="stText"] {line-height: 1.45; overflow-wrap: anywhere}
[data-testid="stText"] > span {display: block; color: inherit; font: inherit; letter-spacing: inherit}
.st-key-sentence [data-testid="stText"] {font-size: 1.6rem; line-height: 1.34; font-weight: 600;
  letter-spacing: -.012em; text-wrap: pretty}
[class*="st-key-faint"] [data-testid="stText"] {font-size: .86rem;
  color: color-mix(in srgb, currentColor 70%, transparent)}
[class*="st-key-heading"] {margin-top: 1.5rem; padding-bottom: .35rem;
  border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent)}
[class*="st-key-heading"] h3 {font-size: 1.12rem; font-weight: 650; padding: 0}
[class*="st-key-name"] [data-testid="stText"] {font-size: 1.08rem; font-weight: 650}
[class*="st-key-figures"] [data-testid="stText"] > span {font-size: .95rem; font-weight: 600; white-space: pre-line;
  font-variant-numeric: tabular-nums}
[class*="st-key-figures"] [data-testid="stText"] > span::first-line {font-size: .8rem; font-weight: 400;
  color: color-mix(in srgb, currentColor 70%, transparent)}
[class*="st-key-figures"] > div {flex: 1 1 auto; min-width: 4.5rem}
.st-key-pulse-place {min-height: 1.5rem}
[class*="st-key-small-tile"] [data-testid="stText"] {font-size: .8rem; white-space: pre-line;
  color: color-mix(in srgb, currentColor 72%, transparent)}
[class*="st-key-reason"] [data-testid="stText"] {font-size: .9rem}
[class*="tile-"] img {display: block; width: 100%; height: auto}
[class*="st-key-row"] [data-testid="stText"] {font-size: .92rem; font-variant-numeric: tabular-nums}
[class*="st-key-row"] [class*="st-key-faint"] [data-testid="stText"] {font-size: .86rem}
[class*="st-key-row"] {column-gap: .7rem; row-gap: .1rem}
[class*="tile-"] [data-testid="stPageLink"] a,
[class*="st-key-row"] [data-testid="stPageLink"] a {padding: .1rem 0}
[data-testid="stMain"] [data-testid="stPageLink"] a:not(:hover) {background: none}
[data-testid="stMain"] [data-testid="stPageLink"] p {font-weight: 500}
[class*="st-key-row"] [data-testid="stPageLink"] p {text-decoration: underline; text-underline-offset: .22em;
  text-decoration-color: color-mix(in srgb, currentColor 35%, transparent)}
[class*="tile-"] [data-testid="stPageLink"] a > span:has([data-testid="stIconMaterial"]),
[class*="st-key-row"] [data-testid="stPageLink"] a > span:has([data-testid="stIconMaterial"]) {display: none}
[class*="st-key-tile"] [data-testid="stPageLink"] p {font-size: 1.08rem; font-weight: 650}
[data-testid="stMain"] button[data-selected="true"] *,
[data-testid="stSliderThumbValue"] * {color: light-dark(#1f5446, #8ed0bc)}
.st-key-report {position: fixed; right: 1.2rem; bottom: 1.2rem; z-index: 100; width: min(30rem, calc(100vw - 2.4rem));
  background: light-dark(#fff, #1f262b); box-shadow: 0 6px 26px rgb(0 0 0 / 18%)}
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] {padding: 4.2rem 1rem 3rem}
  .st-key-sentence [data-testid="stText"] {font-size: 1.28rem}
  .st-key-closely-choice > * {min-width: 100%}
}
</style>"""
