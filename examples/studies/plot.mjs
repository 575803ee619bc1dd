/** Lines over a logarithmic axis as SVG: one panel beside the other, one legend under all. */

/**
 * @typedef {object} Line
 * @property {string} name the same name has the same color in every panel
 * @property {number} color its place in the palette
 * @property {boolean} dashed
 * @property {readonly number[]} values at x = 0, 1, …; what is not above 0 is not drawn
 */
/** @typedef {{ title: string, lines: readonly Line[] }} Panel */
/** @typedef {{ title: string, x: string, y: string, panels: readonly Panel[] }} Plot */

/** Okabe and Ito's colors, which most color-blind readers tell apart. */
const COLORS = ['#0072b2', '#56b4e9', '#d55e00', '#e69f00', '#000000', '#cc79a7', '#009e73', '#7a5c00']
const [WIDTH, HEIGHT, LEFT, TOP, GAP, BOTTOM] = [400, 330, 74, 64, 34, 52]
const [LEGEND_WIDTH, LEGEND_LINE] = [205, 22]
/** Of the whole picture: the title has to fit. */
const LEAST_WIDTH = 640
/** Powers of ten beyond which nothing is drawn. */
const LIMIT = 15

/** @param {string} text @returns {string} */
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** @param {Plot} plot @returns {string} */
export function svgOf({ title, x, y, panels }) {
  const columns = Math.min(2, panels.length)
  const rows = Math.ceil(panels.length / columns)
  const all = panels
    .flatMap(({ lines }) => lines.flatMap(({ values }) => values))
    .filter((value) => value > 0)
  const bounded = (power) => Math.max(-LIMIT, Math.min(LIMIT, power))
  const low = bounded(Math.floor(Math.log10(all.reduce((least, value) => Math.min(least, value)))))
  const high = Math.max(
    low + 1,
    bounded(Math.ceil(Math.log10(all.reduce((most, value) => Math.max(most, value))))),
  )
  const lines = panels[0].lines
  const width = Math.max(LEAST_WIDTH, LEFT + columns * (WIDTH + GAP))
  const perRow = Math.floor((width - LEFT) / LEGEND_WIDTH)
  const legendTop = TOP + rows * (HEIGHT + BOTTOM + GAP) - GAP + 16
  const height = legendTop + Math.ceil(lines.length / perRow) * LEGEND_LINE + 14
  const parts = panels.map((panel, i) => {
    const [left, top] = [
      LEFT + (i % columns) * (WIDTH + GAP),
      TOP + Math.floor(i / columns) * (HEIGHT + BOTTOM + GAP),
    ]
    return panelOf(panel, { left, top, low, high, x, clip: `panel${i}`, labels: i % columns === 0 })
  })
  const legend = lines.map((line, i) => {
    const [left, top] = [LEFT + (i % perRow) * LEGEND_WIDTH, legendTop + Math.floor(i / perRow) * LEGEND_LINE]
    return `<path d="M${left} ${top}h30" ${stroke(line)}/><text x="${left + 38}" y="${top + 4}">${escaped(line.name)}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${LEFT}" y="24" font-size="16" font-weight="bold">${escaped(title)}</text>
<text transform="translate(18 ${TOP + HEIGHT / 2}) rotate(-90)" text-anchor="middle">${escaped(y)}</text>
${[...parts, ...legend].join('\n')}
</svg>
`
}

/** @param {Line} line @returns {string} */
function stroke({ color, dashed }) {
  return `fill="none" stroke="${COLORS[color % COLORS.length]}" stroke-width="2"${dashed ? ' stroke-dasharray="6 4"' : ''}`
}

/**
 * @param {Panel} panel
 * @param {{ left: number, top: number, low: number, high: number, x: string, clip: string, labels: boolean }} place
 * @returns {string}
 */
function panelOf({ title, lines }, { left, top, low, high, x, clip, labels }) {
  const length = Math.max(2, ...lines.map(({ values }) => values.length))
  const across = (at) => left + (at / (length - 1)) * WIDTH
  const down = (power) => top + ((high - power) / (high - low)) * HEIGHT
  const [stepX, stepY] = [tickStep(length - 1, 6), tickStep(high - low, 8)]
  const grid = []
  for (let power = Math.ceil(low / stepY) * stepY; power <= high; power += stepY) {
    grid.push(
      `<path d="M${left} ${round(down(power))}h${WIDTH}" stroke="${power === 0 ? '#888' : '#e2e2e2'}"/>`,
    )
    if (labels) {
      grid.push(
        `<text x="${left - 8}" y="${round(down(power) + 4)}" text-anchor="end">10<tspan dy="-5" font-size="10">${power}</tspan></text>`,
      )
    }
  }
  for (let at = 0; at < length; at += stepX) {
    grid.push(`<text x="${round(across(at))}" y="${top + HEIGHT + 18}" text-anchor="middle">${at}</text>`)
  }
  const drawn = lines.map((line) => {
    const points = line.values.flatMap((value, at) =>
      value > 0 ? [`${round(across(at))},${round(down(Math.log10(value)))}`] : [],
    )
    return `<polyline points="${points.join(' ')}" ${stroke(line)}/>`
  })
  return `<text x="${left}" y="${top - 10}" font-weight="bold">${escaped(title)}</text>
${grid.join('\n')}
<clipPath id="${clip}"><rect x="${left}" y="${top - 1}" width="${WIDTH}" height="${HEIGHT + 2}"/></clipPath>
<g clip-path="url(#${clip})">
${drawn.join('\n')}
</g>
<rect x="${left}" y="${top}" width="${WIDTH}" height="${HEIGHT}" fill="none" stroke="#555"/>
<text x="${left + WIDTH / 2}" y="${top + HEIGHT + 38}" text-anchor="middle">${escaped(x)}</text>`
}

/** @param {number} value @returns {number} */
const round = (value) => Math.round(value * 10) / 10

/** 1, 2 or 5 times a power of ten, so that at most `most` ticks fit. @param {number} range @param {number} most */
function tickStep(range, most) {
  for (let power = 1; ; power *= 10) {
    const step = [1, 2, 5].find((each) => range / (each * power) <= most)
    if (step !== undefined) return step * power
  }
}
