const PAGE = 50;
const PRINTED = 1000;
const MARKS = ["\u25b2", "\u25c6", "\u25cf", "\u25cb", "\u2715"];

/** A number as people read it; a dash for none. */
function number(value, digits = 4) {
  if (value === undefined || value === null) return "\u2013";
  const whole = Math.abs(value) >= 10 ** (digits - 1);
  const shape = whole ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits };
  return value.toLocaleString("en", shape).replace("-", "\u2212");
}

function size(bytes) {
  if (bytes === undefined) return "\u2013";
  return bytes < 1e6 ? `${number(bytes / 1e3, 3)} kB` : `${number(bytes / 1e6, 3)} MB`;
}

function folderAndName(path) {
  const cut = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1;
  // A backslash may begin a character that was spelled out; then it ends no folder.
  return /^\\u[0-9a-f]{4}/.test(path.slice(cut - 1)) ? ["", path] : [path.slice(0, cut), path.slice(cut)];
}

function badge(row, verdicts) {
  const mark = element("span", { class: "mark", "aria-hidden": "true" }, MARKS[row.verdict]);
  return element("span", { class: `verdict v${row.verdict}` }, mark, ` ${verdicts[row.verdict]}`);
}

/** The picture with the box of its face drawn over it; `side` in pixels. */
function picture(row, side) {
  if (!row.image) return element("div", { class: "no-picture" });
  const frame = element("div", { class: "framed" });
  const image = element("img", { src: row.image, alt: "" });
  image.style.maxWidth = image.style.maxHeight = `${side}px`;
  frame.append(image);
  const scale = side / Math.max(row.width || 1, row.height || 1);
  if (row.width && row.height) {
    image.width = Math.max(1, Math.round(row.width * scale));
    image.height = Math.max(1, Math.round(row.height * scale));
  }
  if (row.face) {
    const [left, top, right, bottom] = row.face.map((at) => 100 * Math.min(1, Math.max(0, at)));
    const box = element("div", { class: "box" });
    Object.assign(box.style, {
      left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%`,
    });
    frame.append(box);
  }
  return frame;
}

const VALUES = {
  path: (row) => row.path,
  verdict: (row) => row.verdict,
  p: (row) => row.p,
  score: (row) => row.score,
  pixels: (row) => (row.width && row.height ? row.width * row.height : undefined),
  bytes: (row) => row.bytes,
};

/** Rows in order: those without a value are last in either direction, ties by suspicion. */
function sorted(rows, key, down) {
  const value = VALUES[key];
  const sign = down ? -1 : 1;
  const collator = new Intl.Collator("en", { numeric: true });
  return rows.slice().sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === undefined || y === undefined) {
      return (x === undefined) - (y === undefined) || a.place - b.place;
    }
    const order = key === "path" ? collator.compare(x, y) : x - y;
    return sign * order || a.place - b.place;
  });
}

/** What the search looks into, all of it in lower case. */
function haystack(row, verdicts) {
  const exif = Object.entries(row.exif || {}).flat();
  const words = [row.path, verdicts[row.verdict], row.error || "", row.format || "", ...exif];
  return words.join("\n").normalize("NFC").toLowerCase();
}

function tableRow(row, verdicts, open) {
  const [folder, name] = folderAndName(row.path);
  const button = element("button", { type: "button", class: "open", "aria-haspopup": "dialog" });
  button.append(element("bdi", {}, name));
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    open(row, button);
  });
  const file = element("td", { class: "c-path" }, button);
  if (folder) file.append(element("bdi", { class: "folder" }, folder));
  if (row.error) file.append(element("div", { class: "error" }, row.error));
  const pixels = row.width && row.height ? `${row.width} \u00d7 ${row.height}` : "\u2013";
  const made = element("tr", {},
    element("td", { class: "picture" }, picture(row, 56)), file,
    element("td", { class: "c-verdict" }, badge(row, verdicts)),
    element("td", { class: "c-p num" }, number(row.p, 2)),
    element("td", { class: "c-score num" }, number(row.score)),
    element("td", { class: "c-pixels num" }, pixels),
    element("td", { class: "c-bytes num" }, size(row.bytes)));
  made.addEventListener("click", () => open(row, button));
  return made;
}
