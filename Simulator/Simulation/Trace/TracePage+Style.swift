extension TracePage {
  static let style = #"""
    :root {
      --page: #fbfaf7; --panel: #ffffff; --ink: #20242c; --soft: #656b76; --faint: #9aa0aa; --rule: #e5e2db; --band: #f3f1eb;
      --red: #c62f2b; --fault: #b9770e; --good: #4c8a68; --log: #47536b; --election: #8a4fb0; --other: #2a8a86; --focus: #2f6fca;
      --term0: #3a6fb7; --term1: #2b8f7b; --term2: #b07a1e; --term3: #7d5fb8; --term4: #5d8a34; --term5: #b4577f; --term6: #2e8db0;
      --term7: #96694a;
      --text: system-ui, -apple-system, "Segoe UI", "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
      --code: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --page: #14161a; --panel: #1a1d22; --ink: #e3e5e9; --soft: #9aa1ac; --faint: #6c737e; --rule: #2c3037; --band: #1d2026;
        --red: #f0655f; --fault: #dca348; --good: #6fb78f; --log: #a3b0c8; --election: #c493e6; --other: #5fc0ba; --focus: #7caef5;
        --term0: #5c93dd; --term1: #41b29b; --term2: #d09a3f; --term3: #a185dd; --term4: #80b153; --term5: #d97ba2; --term6: #4fb0d4;
        --term7: #bd8d6c;
      }
    }
    * { box-sizing: border-box; }
    html { background: var(--page); color: var(--ink); font: 14px/1.45 var(--text); -webkit-text-size-adjust: 100%; }
    body { margin: 0 auto; padding: 22px 26px 30px; max-width: 2000px; }
    h1, h2, p, dl, dd, ol { margin: 0; padding: 0; }
    button, input { font: inherit; color: inherit; }
    :focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
    code, time, output, td { font-family: var(--code); font-size: 12px; font-variant-numeric: tabular-nums; }

    header { margin-bottom: 16px; }
    .overline { color: var(--soft); font-size: 11px; letter-spacing: .09em; text-transform: uppercase; }
    h1 { font-size: 22px; line-height: 1.25; font-weight: 620; letter-spacing: -.012em; margin: 2px 0 12px; }
    h1 { text-wrap: balance; overflow-wrap: anywhere; }
    dl { display: flex; flex-wrap: wrap; gap: 8px 30px; max-width: 1180px; }
    dl div { min-width: 0; }
    dl .wide { flex: 1 1 100%; display: flex; gap: 12px; }
    dl .wide dt { flex: 0 0 64px; padding-top: 3px; }
    dt { color: var(--soft); font-size: 11px; letter-spacing: .03em; }
    dd { overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate; }
    dd code { background: var(--band); border-radius: 4px; padding: 3px 7px; }

    button { background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: 3px 10px; min-height: 30px; }
    button { cursor: pointer; }
    button:hover { border-color: var(--faint); }
    button.copy { min-height: 0; padding: 1px 8px; font-size: 11px; color: var(--soft); }
    .tools { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; margin-bottom: 10px; }
    .tools .group { display: flex; }
    .tools .group button { border-radius: 0; margin-left: -1px; min-width: 34px; }
    .tools .group button:first-child { border-radius: 6px 0 0 6px; margin-left: 0; }
    .tools .group button:last-child { border-radius: 0 6px 6px 0; }
    .tools .violation { color: var(--red); }
    .tools output { min-width: 12ch; text-align: right; }
    .tools input[type=range] { flex: 1 1 140px; min-width: 110px; accent-color: var(--focus); }
    .tools label { display: inline-flex; align-items: center; gap: 5px; color: var(--soft); white-space: nowrap; cursor: pointer; }
    .tools input[type=checkbox] { accent-color: var(--soft); margin: 0; width: 14px; height: 14px; }

    main { display: grid; grid-template-columns: minmax(0, 1fr) 384px; gap: 22px; }
    .stage { min-width: 0; }
    .frame { background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; overflow: hidden; }
    canvas { display: block; width: 100%; }
    #overview { border-bottom: 1px solid var(--rule); cursor: grab; touch-action: none; }
    #diagram { position: relative; cursor: crosshair; touch-action: pan-y; user-select: none; -webkit-user-select: none; }
    #diagram.dragged { cursor: grabbing; }
    #diagram:focus-visible { outline-offset: -2px; }
    #over { position: absolute; inset: 0; pointer-events: none; }
    #tip {
      position: absolute; z-index: 1; max-width: 320px; padding: 7px 10px; pointer-events: none; background: var(--panel);
      border: 1px solid var(--rule); border-radius: 6px; box-shadow: 0 4px 18px rgb(0 0 0 / .16); font-size: 12px; line-height: 1.4;
      overflow-wrap: anywhere;
    }
    #tip b { display: block; font-weight: 600; }
    #tip span { display: block; color: var(--soft); }
    .legend { display: flex; flex-wrap: wrap; gap: 5px 18px; margin-top: 11px; color: var(--soft); font-size: 12px; }
    .legend span { display: inline-flex; align-items: center; gap: 6px; }
    .legend svg { flex: none; overflow: visible; }

    aside { display: flex; flex-direction: column; min-width: 0; }
    h2 { font-size: 12px; font-weight: 600; color: var(--soft); margin-bottom: 6px; display: flex; justify-content: space-between; }
    table { width: 100%; border-collapse: collapse; margin-bottom: 18px; }
    th { font-size: 11px; font-weight: 400; color: var(--faint); text-align: right; padding: 2px 0 4px 6px; }
    td { text-align: right; padding: 4px 0 4px 6px; border-top: 1px solid var(--rule); white-space: nowrap; }
    th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; padding-left: 0; padding-right: 8px; }
    td:first-child { font-weight: 600; max-width: 84px; overflow: hidden; text-overflow: ellipsis; }
    td i { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin-right: 6px; }
    td.role { font-family: var(--text); font-size: 13px; }
    tr.down td, td.behind { color: var(--faint); }
    .events { list-style: none; overflow: auto; flex: 1 1 0; min-height: 380px; border-top: 1px solid var(--rule); position: relative; }
    .events li { display: grid; grid-template-columns: 68px var(--name) 1fr; gap: 0 9px; padding: 2px 4px 2px 0; cursor: pointer; }
    .events li { border-left: 2px solid transparent; padding-left: 6px; font-size: 12px; line-height: 1.5; }
    .events li:hover { background: var(--band); }
    .events li.near { background: var(--band); border-left-color: var(--focus); }
    .events li time { color: var(--faint); font-size: 11px; line-height: 18px; text-align: right; }
    .events li b { font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .events li span { overflow-wrap: anywhere; white-space: pre-wrap; font-variant-numeric: tabular-nums; }
    .events .quiet, .events .message { color: var(--soft); }
    .events .life span, .events .note span { font-weight: 600; }
    .events .phase { font-style: italic; }
    .events .lost, .events .failed, .events .violation { color: var(--red); }
    .events .fault { color: var(--fault); }
    .events .operation { color: var(--good); }
    footer { margin-top: 20px; color: var(--soft); font-size: 12px; max-width: 110ch; }
    footer p { margin-bottom: 4px; }
    kbd { font: 11px var(--code); border: 1px solid var(--rule); border-radius: 3px; padding: 0 4px; background: var(--panel); }
    @media (max-width: 1000px) {
      main { grid-template-columns: minmax(0, 1fr); }
      .events { flex: none; height: 320px; }
    }
    @media (max-width: 560px) {
      body { padding: 16px 12px 24px; }
      h1 { font-size: 19px; }
      .frame { margin: 0 -12px; border-radius: 0; border-width: 1px 0; }
      .tools input[type=range] { flex-basis: 60%; }
      dl .wide { display: block; }
    }
    """#
}
