"""How the page looks: by day and by night, on a desk and on a telephone."""

from cleaner.web.script import allowed

STYLE = """
:root{
  --ink:#1a1d21;--soft:#545c66;--line:#d8dce1;--page:#f6f7f8;--card:#fff;--link:#0b57a8;--bad:#a8201a;
  --well:#17663a;--warn:#7a4d00;--held:#3d4f9e;--badbg:#fdecea;--wellbg:#e8f5ec;--heldbg:#eceffc;
  --warnbg:#fff3d6}
@media (prefers-color-scheme:dark){
  :root{
    --ink:#e4e6e9;--soft:#a3abb5;--line:#343a42;--page:#121417;--card:#1a1d21;--link:#8ab8f5;--bad:#ff9d94;
    --well:#7fd6a0;--warn:#f0c36a;--held:#b3bffa;--badbg:#3a1b19;--wellbg:#15301f;--heldbg:#20264a;
    --warnbg:#3a2d10}
}
*{box-sizing:border-box}
body{
  margin:0 auto;max-width:78rem;padding:0 1rem 3rem;background:var(--page);color:var(--ink);
  font:1rem/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
header{display:flex;flex-wrap:wrap;justify-content:space-between;align-items:baseline;gap:0 1rem;padding:.75rem 0}
h1,h2,h3{line-height:1.25;margin:0}
h1{font-size:1rem}
h2{font-size:1.25rem;margin:0 0 .5rem}
h3{font-size:1rem;display:inline}
#told,footer,.fine,caption,small,time{color:var(--soft)}
#told{margin:0}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
section{margin:2rem 0 0;scroll-margin-top:1rem}
#state{
  margin:0;padding:1.25rem;color:var(--ink);border-radius:.5rem;border:1px solid var(--line);border-left:.5rem solid var(--well);
  background:var(--card)}
#state h2{font-size:1.75rem;margin:0;color:var(--well)}
#state.bad{border-left-color:var(--bad)}
#state.bad h2{color:var(--bad)}
#state.held{border-left-color:var(--held)}
#state.held h2{color:var(--held)}
.dry{margin:0 0 .75rem;font-size:2.5rem;line-height:1.1;font-weight:800;letter-spacing:.04em;color:var(--warn)}
.dry small{font-size:1rem;font-weight:400;letter-spacing:0;color:inherit;display:inline-block}
#remarks{list-style:none;margin:.5rem 0 0;padding:0}
#remarks li{display:flex;gap:.6rem;padding:.2rem 0}
#remarks li>b{flex:0 0 .8rem;text-align:center}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.75rem 1.5rem;margin:1rem 0 0}
dt{color:var(--soft);font-size:.875rem}
dd{margin:0;font-weight:600}
dd small,dd time{font-weight:400}
time{font-size:.8125rem;white-space:nowrap}
small{font-size:.8125rem}
#parts{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:1rem 0 0}
form{display:flex;flex-wrap:wrap;gap:.5rem 1.25rem;align-items:center}
fieldset{display:flex;flex-wrap:wrap;gap:.25rem 1rem;border:0;margin:0;padding:0;align-items:center}
legend{float:left;margin-right:0;padding:0}
input[type=search],select,button{
  font:inherit;color:inherit;background:var(--card);border:1px solid var(--soft);border-radius:.375rem;
  padding:.3rem .6rem}
input[type=checkbox]{width:1.1rem;height:1.1rem;vertical-align:-.2rem;accent-color:var(--link)}
button{cursor:pointer;background:var(--link);border-color:var(--link);color:var(--card);font-weight:600}
article{border-top:1px solid var(--line)}
#list{border-bottom:1px solid var(--line);background:var(--card)}
summary{cursor:pointer;padding:.55rem .5rem}
article summary:hover{background:var(--page)}
.chips{float:right;text-align:right;margin-left:1rem}
article summary::after{content:"";display:block;clear:both}
.chip{
  display:inline-block;white-space:nowrap;padding:0 .5rem;border-radius:1rem;font-size:.875rem;font-weight:600;
  color:var(--soft)}
.chip.note{font-weight:400}
.chip.bad{background:var(--badbg)}
.chip.due{background:var(--warnbg)}
.chip.running{background:var(--heldbg)}
.failed,.bad,.unreadable{color:var(--bad)}
.succeeded{color:var(--well)}
.due{color:var(--warn)}
.running{color:var(--held)}
#remarks .bad,#remarks .held,#remarks .note{color:inherit}
.chip.bad{color:var(--bad)}
.chip.failed{color:var(--ink)}
.chip.due{color:var(--warn)}
.chip.running{color:var(--held)}
.stuck{margin:0 .5rem .55rem 1.6rem;padding:.4rem .75rem;background:var(--warnbg);border-left:.25rem solid var(--warn)}
.fine{margin:.25rem .5rem .55rem 1.6rem;font-size:.875rem}
section>.fine{margin-left:0}
code{font:.875rem/1.4 ui-monospace,monospace;user-select:all}
.commit{color:var(--soft);font:.8125rem ui-monospace,monospace}
table{border-collapse:collapse;width:100%;background:var(--card);font-size:.9375rem;margin:0 0 .75rem}
article table{width:calc(100% - 2.1rem);margin-left:1.6rem}
caption{text-align:left;padding:.35rem .5rem;font-size:.875rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .5rem;border-top:1px solid var(--line)}
th{font-weight:600}
thead th{font-size:.8125rem;color:var(--soft);border-top:0}
thead th{white-space:nowrap;overflow-wrap:normal}
tbody th{min-width:9rem}
tbody th time{font-weight:400}
td span{white-space:nowrap}
td time{display:block}
.pages{margin:.75rem 0}
footer{margin:2rem 0 0;font-size:.875rem}
.lost main{opacity:.7;filter:grayscale(1)}
.lost #told{color:var(--card);background:var(--bad);padding:.1rem .6rem;border-radius:.375rem;font-weight:700}
@media (max-width:46rem){
  body{padding:0 .75rem 2rem}
  #state{padding:.9rem}
  #state h2{font-size:1.4rem}
  dl{grid-template-columns:1fr 1fr}
  .chips{float:none;display:block;margin:.25rem 0 0;text-align:left}
  .chip{padding:0 .45rem}
  label,input[type=search]{max-width:100%}
  button{min-height:2.75rem}
  article summary{padding:.7rem .25rem}
  table,tbody,tr,th,td,caption{display:block;width:100%}
  article table{width:100%;margin-left:0}
  thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
  tr{padding:.5rem 0;border-top:1px solid var(--line)}
  th,td{border:0;padding:.1rem .5rem}
  td time{display:inline}
  .jobs td:nth-child(2),.jobs td:nth-child(3),.gone td:nth-child(2),.gone td:nth-child(3){display:inline-block;width:auto}
  td::before{color:var(--soft);font-size:.8125rem;margin-right:.5rem}
  .jobs td:nth-child(3)::before,.gone td:nth-child(3)::before{content:"ended"}
  .jobs td:nth-child(5)::before{content:"until"}
  .gone td:nth-child(5)::before{content:"deleted"}
  .sweeps td:nth-child(2)::before{content:"by"}
  .sweeps td:nth-child(4)::before{content:"took"}
  .sweeps td:nth-child(5)::before{content:"GitRepos"}
  .sweeps td:nth-child(6)::before,.reasons td:nth-child(2)::before{content:"Jobs"}
  .errors td:nth-child(5)::before{content:"times"}
  .stuck,.fine{margin-left:.25rem}
}
"""

STYLE_HASH = allowed(STYLE)
