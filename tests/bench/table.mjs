// Tables in Markdown.

/** @param {string[][]} rows the first is the head */
export function printTable(rows) {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((row) => row[c].length)));
  for (const [r, row] of rows.entries()) {
    console.log(`| ${row.map((cell, c) => c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c])).join(' | ')} |`);
    if (r === 0) console.log(`|${widths.map((width, c) => c === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`).join('|')}|`);
  }
}
