(function scan() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const rows = data.rows.map((row, place) => Object.assign(row, { place }));
  for (const row of rows) row.text = haystack(row, data.verdicts);
  const at = (id) => document.getElementById(id);
  const [table, drawer] = [at("table"), at("drawer")];
  const view = { words: "", verdict: "", key: "", down: false, page: 0 };
  let shown = rows;
  let opened = null;

  function choose() {
    const words = view.words.normalize("NFC").toLowerCase().split(/\s+/).filter(Boolean);
    const kept = rows.filter(
      (row) => (!view.verdict || data.verdicts[row.verdict] === view.verdict) &&
        words.every((word) => row.text.includes(word)));
    shown = view.key ? sorted(kept, view.key, view.down) : kept;
    view.page = 0;
    draw(PAGE);
  }

  function draw(many) {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    const first = many > PAGE ? 0 : view.page * PAGE;
    const made = shown.slice(first, first + many).map((row) => tableRow(row, data.verdicts, open));
    table.tBodies[0].replaceChildren(...made);
    const all = rows.length.toLocaleString("en");
    const found = shown.length.toLocaleString("en");
    at("found").textContent = shown.length === rows.length ? `${all} files` : `${found} of ${all} files`;
    if (many > PAGE && shown.length > many) at("found").textContent += `; the first ${many.toLocaleString("en")} are printed`;
    at("place").textContent = `Page ${view.page + 1} of ${pages}`;
    at("before").disabled = view.page === 0;
    at("after").disabled = view.page >= pages - 1;
    at("place").parentElement.hidden = pages === 1;
  }

  function turn(by) {
    view.page += by;
    draw(PAGE);
    at("files").scrollIntoView({ block: "start" });
  }

  function sortBy(button) {
    const { key } = button.dataset;
    view.down = view.key === key ? !view.down : false;
    view.key = key;
    for (const header of table.tHead.rows[0].cells) header.removeAttribute("aria-sort");
    button.closest("th").setAttribute("aria-sort", view.down ? "descending" : "ascending");
    choose();
  }

  function open(row) {
    opened = row;
    at("drawer-body").replaceChildren(drawerContent(row, data));
    const place = shown.indexOf(row);
    at("previous").disabled = place <= 0;
    at("next").disabled = place < 0 || place >= shown.length - 1;
    if (!drawer.open) drawer.showModal();
    drawer.scrollTop = 0;
    at("drawer-title").focus();
  }

  function step(by) {
    const row = shown[shown.indexOf(opened) + by];
    if (row) open(row);
  }

  /** Back to where the reader was, also when they stepped to another page inside. */
  function closed() {
    const place = shown.indexOf(opened);
    const page = Math.floor(Math.max(0, place) / PAGE);
    if (page !== view.page) {
      view.page = page;
      draw(PAGE);
    }
    const row = table.tBodies[0].rows[place - page * PAGE];
    if (row) row.querySelector(".open").focus();
  }

  let waiting = 0;
  at("find").addEventListener("input", (event) => {
    view.words = event.target.value;
    clearTimeout(waiting);
    waiting = setTimeout(choose, 120);
  });
  for (const radio of document.getElementsByName("verdict")) {
    radio.addEventListener("change", () => {
      view.verdict = radio.value;
      choose();
    });
  }
  for (const button of table.tHead.querySelectorAll(".sort")) {
    button.addEventListener("click", () => sortBy(button));
  }
  document.querySelector(".tools").addEventListener("submit", (event) => event.preventDefault());
  at("before").addEventListener("click", () => turn(-1));
  at("after").addEventListener("click", () => turn(1));
  at("previous").addEventListener("click", () => step(-1));
  at("next").addEventListener("click", () => step(1));
  at("close").addEventListener("click", () => drawer.close());
  drawer.addEventListener("close", closed);
  drawer.addEventListener("click", (event) => {
    if (event.target === drawer) drawer.close(); // beside the drawer
  });
  drawer.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  window.addEventListener("beforeprint", () => draw(PRINTED));
  window.addEventListener("afterprint", () => draw(PAGE));
  choose();
})();
