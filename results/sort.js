"use strict";
// Sort a table by a click (or Enter) on a column's head: by data-sort where a cell has it, else by its text.
function keyOf(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.sort ?? cell.textContent.trim();
  return value !== "" && !isNaN(value) ? Number(value) : value;
}
function compareKeys(a, b) {
  // What has no value goes last, numbers before words.
  if (a === "" || b === "") return (a === "") - (b === "");
  if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
  return typeof a === "number" ? -1 : 1;
}
function sortBy(head) {
  const table = head.closest("table");
  const column = head.cellIndex;
  const descending = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compareKeys(keyOf(a, column), keyOf(b, column)) * (descending ? -1 : 1));
  table.tBodies[0].append(...rows);
}
for (const head of document.querySelectorAll(".sortable th")) {
  head.tabIndex = 0;
  head.addEventListener("click", () => sortBy(head));
  head.addEventListener("keydown", (event) => { if (event.key === "Enter") sortBy(head); });
}
// A link into a folded section opens it, and every one around it.
function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  target.scrollIntoView({block: "center"});
}
addEventListener("hashchange", openTarget);
openTarget();
