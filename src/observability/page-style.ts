/** The style sheet of all pages, which load no other file. */
export const STYLE = `
:root{color-scheme:light dark;--ink:#1d2733;--soft:#596673;--ground:#f3f5f8;--card:#fff;--line:#dde3ea;--head:#f8fafc;
--good:#10683a;--good-ground:#dff4e7;--bad:#a3161f;--bad-ground:#fde5e5;--warn:#7a4b00;--warn-ground:#fdf0d2;--link:#0b5cad}
@media (prefers-color-scheme:dark){:root{--ink:#e3e9f0;--soft:#9aa8b7;--ground:#10161d;--card:#18212b;--line:#2a3643;--head:#1d2833;
--good:#7be0a4;--good-ground:#123524;--bad:#ff9c9c;--bad-ground:#431a1e;--warn:#ffcb6b;--warn-ground:#3b2c0c;--link:#7bb8ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main,header,footer{max-width:76rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.5rem;display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:baseline}
h1{font-size:1.35rem;margin:0;overflow-wrap:anywhere}
h2{font-size:1.02rem;margin:0}
a{color:var(--link)}
a:focus-visible,.scroll:focus-visible,summary:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.soft,footer{color:var(--soft)}
footer{padding-top:.25rem;padding-bottom:2rem;font-size:.86rem}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;margin:1rem 0}
.facts div{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.6rem .9rem}
.facts dt{color:var(--soft);font-size:.82rem}
.facts dd{margin:0;font-size:1.3rem;line-height:1.35;font-weight:600;font-variant-numeric:tabular-nums}
.facts small{display:block}
small{font-size:.8rem;font-weight:400;color:var(--soft)}
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;margin:1rem 0;overflow:hidden}
section>h2{padding:.7rem .9rem;border-bottom:1px solid var(--line);background:var(--head)}
section>p{margin:0;padding:.7rem .9rem}
.alarm{border-color:var(--bad)}
.alarm ul{margin:0;padding:.6rem .9rem .7rem 2rem}
.alarm li{overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.38rem .55rem;border-top:1px solid var(--line);vertical-align:top}
th:first-child,td:first-child{padding-left:.9rem}th:last-child,td:last-child{padding-right:.9rem}
thead th{border-top:0;color:var(--soft);font-weight:500;font-size:.82rem;white-space:nowrap}
tbody th{font-weight:600;min-width:8rem;overflow-wrap:break-word}
tbody th:has(a){position:sticky;left:0;background:var(--card)}
td small,th small{display:block;font-weight:400;color:var(--soft)}
.n{text-align:right;white-space:nowrap}
.text{min-width:14rem;overflow-wrap:break-word}
th code{font-weight:400;overflow-wrap:break-word;word-break:break-all}
.chip{display:inline-block;border-radius:1rem;padding:.05rem .6rem;font-size:.82rem;font-weight:600;white-space:nowrap;background:var(--ground);color:var(--soft)}
.good{background:var(--good-ground);color:var(--good)}.bad{background:var(--bad-ground);color:var(--bad)}.warn{background:var(--warn-ground);color:var(--warn)}
.drawn{display:flex;gap:.35em;align-items:center}.drawn span{margin-left:auto}.drawn .spark{flex:none}
.spark{width:52px;height:1.1em;vertical-align:-.15em;overflow:visible}
.spark path{fill:none;stroke:var(--link);stroke-width:1.3;stroke-linejoin:round;stroke-linecap:round;vector-effect:non-scaling-stroke}
.past{grid-template-columns:repeat(auto-fit,minmax(15rem,1fr))}
.wide{display:block;width:100%;height:4.5rem;margin:.35rem 0}
form{display:flex;flex-wrap:wrap;gap:.4rem .7rem;align-items:center;padding:.6rem .9rem;border-bottom:1px solid var(--line)}
input,button{font:inherit;color:inherit;background:var(--ground);border:1px solid var(--line);border-radius:.4rem;padding:.15rem .6rem}
input{min-width:0;flex:0 1 16rem}tbody th a{font-weight:600;text-decoration:none}tbody th a:hover{text-decoration:underline}
th[aria-sort] a{color:var(--ink);font-weight:600}
code,pre{font:.84rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;overflow-wrap:anywhere}
pre{margin:0;padding:.7rem .9rem;white-space:pre-wrap}
@media (max-width:40rem){input{flex:1 1 6rem}tbody th code{display:inline-block;width:8rem}main,header,footer{padding-left:.75rem;padding-right:.75rem}th,td{padding-left:.6rem;padding-right:.6rem}}
`;
