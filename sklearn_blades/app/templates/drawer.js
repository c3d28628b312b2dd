/** How usual a score is among photographs, in words. */
function pInWords(row, data) {
  const n = data.n_calibration;
  if (row.p === undefined) return null;
  const known = n ? `the ${n.toLocaleString("en")} photographs that calibrated` : null;
  const below = n && data.exact ? Math.round(row.p * (n + 1)) - 1 : null;
  if (below === 0) {
    return `None of ${known} looks as unusual as this (p = ${number(row.p, 2)}, the lowest there can be).`;
  }
  const of = below !== null && below > 0 ? ` ${below.toLocaleString("en")} of ${known} ${below === 1 ? "does" : "do"}.` : "";
  const share = row.p > 0.4
    ? `${number(100 * row.p, 2)} of 100 photographs`
    : `1 of ${number(Math.floor(1 / row.p), 3)} photographs`;
  const look = row.p > 0.4 ? "look" : "looks";
  return `${share} like those that calibrated ${look} at least as unusual (p = ${number(row.p, 2)}).${of}`;
}

function scoreInWords(row, data) {
  if (row.score === undefined) return null;
  const words = `Score ${number(row.score)}`;
  if (data.offset === null || data.offset === undefined) return `${words}.`;
  const gap = row.score - data.offset;
  return `${words}, ${number(Math.abs(gap))} ${gap < 0 ? "below" : "above"} the threshold of ${number(data.offset)}.`;
}

/** Where a score lies among the photographs that calibrated: from the lowest to the highest. */
function strip(row, data) {
  const known = data.calibration;
  if (row.score === undefined || known.length < 2) return null;
  const ends = [known[0], known[known.length - 1]];
  const span = ends[1] - ends[0] || 1;
  const from = ends[0] - 0.25 * span;
  const at = (score) => `${Math.min(100, Math.max(0, (100 * (score - from)) / (1.25 * span)))}%`;
  const made = element("div", { class: "strip", "aria-hidden": "true" });
  const every = Math.ceil(known.length / 200);
  known.forEach((score, place) => {
    if (place % every === 0) made.append(placed("i", "", at(score)));
  });
  if (data.offset !== null && data.offset !== undefined) made.append(placed("i", "threshold", at(data.offset)));
  made.append(placed("i", "here", at(row.score)));
  const note = element("p", { class: "note" }, "Ticks: photographs that calibrated. Dashed: the threshold. Diamond: this file.");
  return element("div", {}, made, note);
}

function placed(name, kind, left) {
  const made = element(name, { class: kind });
  made.style.left = left;
  return made;
}

function facts(pairs) {
  const list = element("dl", { class: "facts" });
  for (const [name, value] of pairs) {
    if (value === undefined || value === null || value === "") continue;
    list.append(element("dt", {}, element("bdi", {}, String(name))), element("dd", {}, element("bdi", {}, String(value))));
  }
  return list.children.length ? list : null;
}

/** Where the score comes from: below 0 a part pulls the verdict towards flagged. */
function parts(found) {
  const most = Math.max(...Object.values(found).map(Math.abs), 1e-9);
  const list = element("ul", { class: "parts" });
  for (const [name, nats] of Object.entries(found)) {
    const bar = element("i", { class: nats < 0 ? "low" : "high" });
    bar.style.width = `${(50 * Math.abs(nats)) / most}%`;
    bar.style.left = nats < 0 ? `${50 - (50 * Math.abs(nats)) / most}%` : "50%";
    list.append(element("li", {}, element("span", {}, name), element("span", { class: "track" }, bar), element("b", {}, number(nats, 3))));
  }
  return list;
}

function tenths(nats) {
  return nats === null ? "" : nats.toFixed(1).replace("-", "\u2212");
}

/** The score's fall where a part of the face is covered, on the detector's one scale. */
function heatMap(map) {
  const table = element("table", { class: "map", "aria-label": "How much the score falls where a part of the face is covered, in nats" });
  const body = element("tbody");
  for (const line of map.nats) {
    const row = element("tr");
    for (const nats of line) {
      const share = nats === null || !map.limit ? 0 : Math.min(1, Math.abs(nats) / map.limit);
      const cell = element("td", { title: `${number(nats, 3)} nats` }, line.length > 8 ? "" : tenths(nats));
      const tone = nats < 0 ? "var(--map-warm)" : "var(--map-cool)";
      cell.style.background = `color-mix(in oklab, ${tone} ${Math.round(100 * share)}%, var(--middle))`;
      row.append(cell);
    }
    body.append(row);
  }
  table.append(body);
  const limit = number(map.limit, 3);
  const scale = element("p", { class: "scale" }, element("span", {}, `\u2212${limit}`), element("i"), element("span", {}, `+${limit} nats`));
  const note = element("p", { class: "note" },
    "Covering a blue part lowers the score: it speaks for a photograph. Covering an orange one raises it: " +
    "it pulls the face towards the threshold. The scale is the same for all files of this detector.");
  return element("div", {}, table, scale, note);
}

function nearest(found, usual) {
  const list = element("ol", { class: "nearest" });
  for (const { path, distance } of found) {
    const ratio = usual ? `, ${number(distance / usual, 2)} times the usual distance` : "";
    list.append(element("li", {}, element("bdi", {}, path), ` (${number(distance, 3)}${ratio})`));
  }
  return list;
}

function section(title, ...content) {
  const kept = content.filter((part) => part !== null && part !== undefined);
  return kept.length ? element("section", {}, element("h3", {}, title), ...kept) : null;
}

const KNOWN_REASONS = ["unsure", "nearest", "usual_distance", "parts", "map"];

/** All that is known of a file. */
function drawerContent(row, data) {
  const reasons = row.reasons || {};
  const [folder, name] = folderAndName(row.path);
  const others = Object.entries(reasons).filter(([key]) => !KNOWN_REASONS.includes(key));
  const paragraph = (text) => (text ? element("p", {}, text) : null);
  const body = element("div", { class: "drawn" },
    element("h2", { id: "drawer-title", tabindex: "-1" }, element("bdi", {}, name)),
    folder ? element("p", { class: "folder" }, element("bdi", {}, folder)) : null,
    row.image ? element("div", { class: "large" }, picture(row, 224)) : null,
    row.no_image ? element("p", { class: "note" }, `No picture: ${row.no_image}`) : null,
    element("p", {}, badge(row, data.verdicts)),
    paragraph(row.error),
    paragraph(pInWords(row, data)),
    paragraph(scoreInWords(row, data)),
    strip(row, data));
  body.append(...[
    reasons.unsure ? section("Why unsure", paragraph(reasons.unsure)) : null,
    reasons.map ? section("Where in the face", heatMap(reasons.map)) : null,
    reasons.parts ? section("What the score is made of", parts(reasons.parts), element("p", { class: "note" }, "In nats; below 0 = less like photographs.")) : null,
    reasons.nearest ? section("The nearest calibration photographs", nearest(reasons.nearest, reasons.usual_distance)) : null,
    section("Other reasons", facts(others)),
    section("File", facts([
      ["Path", row.path], ["Format", row.format],
      ["Pixels", row.width && row.height ? `${row.width} \u00d7 ${row.height}` : ""],
      ["Size", row.bytes === undefined ? "" : `${size(row.bytes)} (${row.bytes.toLocaleString("en")} bytes)`],
      ["Faces found", row.faces],
    ])),
    section("EXIF", facts(Object.entries(row.exif || {}))),
  ].filter(Boolean));
  return body;
}
