"""One look for the status page and for the page of a replay: light and dark, from a phone to a wall."""

_LIGHT = (
    "--bg:#fff;--fg:#1c2126;--dim:#626c76;--line:#dfe3e8;--card:#f6f8fa;--good:#1a7f37;"
    "--warn:#9a6700;--bad:#cf222e;--calm:#57606a;--band:#54aeff44;--ink:#0969da"
)
_DARK = (
    "--bg:#0d1117;--fg:#e6edf3;--dim:#9198a1;--line:#30363d;--card:#161b22;--good:#3fb950;"
    "--warn:#d29922;--bad:#ff6a61;--calm:#8b949e;--band:#388bfd33;--ink:#58a6ff"
)
_COLOURS = f":root{{{_LIGHT}}}@media(prefers-color-scheme:dark){{:root{{{_DARK}}}}}"

STYLE = (
    f"\n{_COLOURS}"
    """
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.45 system-ui,sans-serif}
main{max-width:68rem;margin:0 auto;padding:1rem}
h1{font-size:1.1rem;margin:0 0 .75rem;color:var(--dim);font-weight:600}
h2{font-size:1rem;margin:1.75rem 0 .5rem}
h3{font-size:1.05rem;margin:0 0 .35rem;overflow-wrap:anywhere}
a{color:var(--ink)}
small,.dim{color:var(--dim);font-size:.82rem;font-weight:400}
small{display:block}
.banner{display:flex;flex-wrap:wrap;gap:.25rem 1rem;justify-content:space-between;margin:0 0 1rem;
padding:.75rem 1rem;border-radius:.5rem;background:var(--card);border-left:.4rem solid var(--good)}
.banner b{font-size:1.15rem}
.banner span{color:var(--dim)}
.banner.warn{border-color:var(--warn)}
.banner.bad{border-color:var(--bad)}
article{padding:.75rem 1rem;margin:0 0 .75rem;border:1px solid var(--line);
border-left:.4rem solid var(--warn);border-radius:.5rem}
article.page{border-left-color:var(--bad)}
article p{margin:.25rem 0;overflow-wrap:anywhere}
.pill{display:inline-block;padding:0 .55rem;border-radius:1rem;border:1px solid currentColor;
font-size:.8rem;font-weight:600;white-space:nowrap;color:var(--calm)}
h3 .pill{margin-left:.6rem;vertical-align:.1rem}
.pill.ok{color:var(--good)}
.pill.suspected,.pill.no_data,.pill.measurement_moved{color:var(--warn)}
.pill.alerting{color:var(--bad)}
table{width:100%;border-collapse:collapse}
th,td{padding:.5rem .6rem;text-align:left;border-top:1px solid var(--line);vertical-align:top}
thead th{border:0;color:var(--dim);font-size:.82rem;font-weight:400}
tbody th{font-weight:600;overflow-wrap:anywhere}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.meter{display:block;width:5rem;height:.5rem;margin-top:.45rem;border-radius:.25rem;
background:var(--line);overflow:hidden}
.meter i{display:block;height:100%;background:var(--calm)}
.meter.half i{background:var(--warn)}
.meter.full i{background:var(--bad)}
.chart{width:11.5rem}
svg{display:block;width:100%;height:2.5rem}
polygon{fill:var(--band)}
polyline{fill:none;stroke:var(--ink);stroke-width:1.5;vector-effect:non-scaling-stroke}
ul{margin:0;padding:0;list-style:none}
li{padding:.4rem 0;border-top:1px solid var(--line)}
li .dim{display:block}
footer{margin:2rem 0 1rem;color:var(--dim);font-size:.82rem}
nav a{margin-right:.8rem}
@media(max-width:44rem){
thead{display:none}
tr{display:grid;grid-template-columns:1fr 1fr;gap:0 1rem;padding:.6rem 0;
border-top:1px solid var(--line)}
th,td{border:0;padding:.15rem 0}
tbody th,.chart,td[colspan]{grid-column:1/-1}
.num{text-align:left}
td[data-label]::before{content:attr(data-label);display:block;color:var(--dim);font-size:.75rem}
.chart{width:auto}
}
"""
)
"""What both pages share."""

_CHART = """
svg.alert{height:auto;margin:.5rem 0;font:13px system-ui,sans-serif;overflow:visible}
.alert .ground{fill:var(--bg)}
.alert .incident{fill:var(--bad);opacity:.1}
.alert .band{fill:var(--band)}
.alert polyline{fill:none;vector-effect:non-scaling-stroke}
.alert .value{stroke:var(--ink);stroke-width:1.6}
.alert .expected{stroke:var(--calm);stroke-width:1}
.alert .evidence{stroke:var(--warn);stroke-width:1.6}
.alert line{stroke:var(--line);vector-effect:non-scaling-stroke}
.alert line.threshold{stroke:var(--warn);stroke-dasharray:5 4}
.alert line.found{stroke:var(--bad);stroke-width:1.6}
.alert line.release{stroke:var(--good);stroke-width:1.6;stroke-dasharray:2 3}
.alert text{fill:var(--dim);paint-order:stroke;stroke:var(--bg);stroke-width:3px}
.alert text.tick{text-anchor:middle}
.alert text.found{fill:var(--bad)}
.alert text.release{fill:var(--good)}
@media(max-width:44rem){svg.alert{font-size:24px}.alert text.minor{display:none}}
"""

CHART_STYLE = _COLOURS + _CHART
"""What a chart needs that stands alone."""

REPORT_STYLE = (
    STYLE
    + _CHART
    + """
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:.75rem;margin:0 0 1rem}
.facts div{padding:.6rem .9rem;border-radius:.5rem;background:var(--card);overflow-wrap:anywhere}
.facts b{display:block;font-size:1.15rem}
.over{color:var(--bad)}
article.ticket{border-left-color:var(--warn)}
.survey{padding:.75rem 1rem;margin:0 0 .75rem;border:1px solid var(--line);border-radius:.5rem}
.survey p{margin:.25rem 0;overflow-wrap:anywhere}
article table{margin:.5rem 0 0;font-size:.9rem}
article th,article td{padding:.25rem .6rem}
details{margin:.25rem 0}
summary{cursor:pointer;color:var(--dim)}
@media(max-width:44rem){tr{grid-template-columns:1fr 1.5fr 1fr}
article tr{grid-template-columns:repeat(4,1fr)}
td.wide{grid-column:1/-1}}
"""
)
"""Of the page of a replay."""
