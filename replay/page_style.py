"""How a report page looks: on screens in light and dark, on a phone, on paper."""

import base64
import hashlib

STYLE = """
:root{color-scheme:light dark;--paper:#fff;--card:#f6f8fa;--ink:#1b1f24;--soft:#57606a;
--rule:#d8dee4;--good:#116329;--goodbg:#e6f6ea;--bad:#a40e26;--badbg:#ffebe9;--warn:#7d4e00;
--tint:11,98,196;--s0:#0b62c4;--s1:#c4480b;--s2:#0a7d5c;--s3:#a03393;--s4:#7a6200;--s5:#59636e;
--o0:#0b62c4;--o1:#e08a1e;--o2:#b3261e;--o3:#9aa4af}
@media screen and (prefers-color-scheme:dark){:root{--paper:#0f1318;--card:#171c23;--ink:#e8ecf1;
--soft:#9da7b3;--rule:#2d343d;--good:#5bd17e;--goodbg:#10271a;--bad:#ff8f86;--badbg:#33141a;
--warn:#e3b35a;--tint:92,160,240;--s0:#5ca0f0;--s1:#f08a4b;--s2:#3fc79a;--s3:#d78bd0;--s4:#d0b341;
--s5:#9da7b3;--o0:#4f95ea;--o1:#e6a23c;--o2:#f0726a;--o3:#66707c}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
main{max-width:1200px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;margin:6px 0 20px;text-wrap:balance}
h2{font-size:20px;line-height:1.3;letter-spacing:-.005em;margin:44px 0 12px;padding-top:16px;
border-top:1px solid var(--rule)}
h3{font-size:15px;margin:0 0 2px}
p{margin:0 0 12px;max-width:70ch;text-wrap:pretty}
ul{margin:0 0 12px;padding-left:20px;max-width:74ch}
li{margin:4px 0}
.eyebrow{color:var(--soft);font-size:14px;margin:0}
.verdict{border-left:4px solid;padding:20px 24px 10px;border-radius:0 8px 8px 0;margin:0 0 24px}
.clean{border-color:var(--good);background:var(--goodbg)}
.divergent{border-color:var(--bad);background:var(--badbg)}
.clean h1{color:var(--good)}.divergent h1{color:var(--bad)}
.verdict h1{margin-top:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin:0}
.tiles div{background:var(--card);border-radius:8px;padding:12px 16px}
.tiles dt{color:var(--soft);font-size:13px}
.tiles dd{margin:0;font-size:22px;line-height:1.35;font-weight:600;letter-spacing:-.01em;
white-space:nowrap}
nav{margin:20px 0 0;display:flex;flex-wrap:wrap;gap:4px 20px;font-size:14px}
a{color:var(--s0);text-underline-offset:3px}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:0 40px}
.two h2{break-after:avoid}
dl.facts{display:grid;grid-template-columns:minmax(110px,max-content) minmax(0,1fr);
gap:4px 20px;margin:0 0 12px}
.facts dt{color:var(--soft)}.facts dd{margin:0}
code,pre{font:13px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
pre{background:var(--card);border-radius:8px;padding:14px 16px;margin:0 0 12px;
white-space:pre-wrap;overflow-wrap:anywhere}
.scroll{overflow:auto;margin:0 0 12px;max-width:100%}
.tall{max-height:42rem}.tall thead{position:sticky;top:0;background:var(--paper);z-index:2}
.tall thead tr:first-child th:not(.group){border-bottom:0}
.tall table{border-collapse:separate;border-spacing:0}
.scroll:focus-visible,summary:focus-visible{outline:2px solid var(--s0);outline-offset:2px}
table{border-collapse:collapse;font-size:14px;line-height:1.4;overflow-wrap:normal}
table.wide{width:100%}
th,td{padding:6px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th{font-weight:600}thead th{color:var(--soft);font-weight:500;font-size:13px;vertical-align:bottom}
tbody th{font-weight:400}th:first-child,td:first-child{padding-left:0}
td.l,th.l{text-align:left}td.w{white-space:normal;overflow-wrap:anywhere}
th.group{text-align:center;border-bottom-color:var(--soft)}
th.key{position:sticky;left:0;background:var(--paper);text-align:left}
td.nil{color:var(--soft)}
td small{font-size:12px}
.share{display:inline-block;width:40px;height:8px;margin-right:8px;vertical-align:0}
.part{display:inline-block;min-width:3.9em}
.share rect{fill:var(--s0)}.share .track{fill:var(--rule)}
"""
TINTS = 10
STYLE += "".join(
    f"td.t{level}{{background:rgba(var(--tint),{level * 3 / 100:g})}}\n"
    for level in range(1, TINTS + 1)
)
STYLE += """
.finding{border:1px solid var(--rule);border-left:3px solid var(--bad);border-radius:0 8px 8px 0;
padding:10px 16px;margin:0 0 10px;break-inside:avoid}
.finding p{margin:0;unicode-bidi:isolate}
.finding .where{color:var(--soft);font-size:14px}
.finding dl{font-size:14px;margin:6px 0 0}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));
gap:36px 40px}
figure{margin:0;break-inside:avoid;min-width:0}
figure p{color:var(--soft);font-size:14px;margin:0 0 8px}
figure svg{display:block;width:100%;height:auto}
figure ul{list-style:none;padding:0;margin:6px 0 0;display:flex;flex-wrap:wrap;gap:2px 18px;
font-size:14px}
figure li{display:flex;align-items:baseline}
figure li svg{flex:none;width:20px;height:12px;margin-right:6px;transform:translateY(1px)}
svg text{fill:var(--soft);font-size:12px;font-family:inherit}
svg text.name{fill:var(--ink)}
.grid{stroke:var(--rule)}.axis{stroke:var(--soft)}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.mark{stroke:var(--paper);stroke-width:1}
.stroke{stroke:rgba(var(--tint),.55);stroke-width:2}
.mean{fill:var(--ink);stroke:var(--paper);stroke-width:1.5}
""" + "".join(f".line.s{n}{{stroke:var(--s{n})}}.mark.s{n}{{fill:var(--s{n})}}" for n in range(6))
STYLE += "".join(f".bar.o{n}{{fill:var(--o{n})}}" for n in range(4))
STYLE += """
summary{cursor:pointer;color:var(--soft);font-size:14px}
footer{margin-top:52px;padding-top:18px;border-top:1px solid var(--rule);color:var(--soft);
font-size:14px}
@media (max-width:600px){main{padding:20px 16px 48px}h1{font-size:24px}h2{margin-top:40px}
.verdict{margin:0 -16px 20px;padding:16px 16px 6px;border-radius:0}
dl.facts{grid-template-columns:1fr;gap:0}.facts dd{margin-bottom:8px}.tiles dd{font-size:20px}
}
@media print{nav,summary{display:none}details::details-content{content-visibility:visible}
body{font-size:10.5pt}main{max-width:none;padding:0}.scroll{overflow:visible;max-height:none}
h2{break-after:avoid}tr{break-inside:avoid}th,td{padding:2px 3px;font-size:7.5pt}
.share{display:none}
th.key,.tall thead{position:static}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
pre,.tiles div{border:1px solid var(--rule)}}
"""

POLICY = (
    "default-src 'none'; script-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)
"""Content-Security-Policy: no script whatsoever, nothing from elsewhere, and this style alone."""
