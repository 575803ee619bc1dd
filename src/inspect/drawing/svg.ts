/** A laid out picture as SVG. Nothing in it is named by an id, so that a page may hold several. */
import { type DrawnArrow, type DrawnBox, type Layout, LETTERS, MARGIN } from './layout.ts'
import { escaped, widthOf } from './lettering.ts'
import { LOOP } from './routes.ts'
import type { BoxKind } from './sheet.ts'

/** Fill, outline and letters; letters have a contrast of at least 7 to 1. */
const COLORS: Readonly<Record<BoxKind, readonly [fill: string, stroke: string, text: string]>> = {
  input: ['#fde7e4', '#c5221f', '#7f1310'],
  hidden: ['#e3f3e6', '#1e8e3e', '#0b4f1f'],
  output: ['#e2ecfd', '#1967d2', '#0d3f85'],
  state: ['#ffffff', '#6b7280', '#374151'],
  loss: ['#fff4d6', '#9a6700', '#5c3d00'],
}
const LEGEND: readonly BoxKind[] = ['input', 'hidden', 'output', 'loss']
const [READ, STATE] = ['#4b5563', '#1e6b34']

export interface Frame {
  readonly title: string
  readonly description: string
}

/** Gradients on their way back. */
const [BACK, LIGHT, WIDEST] = ['#8430ce', '#c198e6', 10]

type Point = readonly [x: number, y: number]

export function svgOf(layout: Layout, { title, description }: Frame): string {
  const kinds = LEGEND.filter((kind) => layout.boxes.some(({ box }) => box.kind === kind))
  const backs = layout.arrows.some(({ arrow }) => arrow.back !== undefined)
  const colors = kinds.map((kind) => [kind, COLORS[kind]] as const)
  const legend = legendOf(backs ? [...colors, ['gradient', [LIGHT, BACK, BACK]]] : colors, layout.height)
  const width = round(Math.max(layout.width, legend.width))
  const height = round(layout.height + 26)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="${LETTERS.label}">`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(description)}</desc>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...layout.arrows.flatMap(backOf),
    ...layout.arrows.map(arrowOf),
    ...layout.boxes.map(boxOf),
    ...legend.parts,
    '</svg>',
    '',
  ].join('\n')
}

function arrowOf({ arrow, lines, label }: DrawnArrow): string {
  const { kind, from, to } = arrow
  const color = kind === 'read' ? READ : STATE
  const heads = arrow.direct ? lines : lines.slice(0, 1)
  const path = [...lines.map(lineOf), ...heads.map((line) => headOf(line))].join('')
  const names = `data-from="${escaped(from.map(({ id }) => id).join('; '))}" data-to="${escaped(to.id)}"`
  const parts = [
    `<path class="${kind}" ${names} d="${path}" fill="none" stroke="${color}" stroke-width="${kind === 'read' ? 1.3 : 1.8}"/>`,
  ]
  if (kind === 'loop') {
    const [out, back] = [lines[0]![1]!, lines[0]![2]!]
    const [x, y] = [out[0] - LOOP.box / 2, (out[1] + back[1]) / 2 - LOOP.boxHeight / 2]
    const frame = `x="${round(x)}" y="${round(y)}" width="${LOOP.box}" height="${LOOP.boxHeight}"`
    const delay = arrow.reverse ? 'z⁺¹' : 'z⁻¹'
    parts.push(`<rect ${frame} fill="#fff" stroke="${STATE}"/>`)
    parts.push(textOf(delay, out[0], y + LOOP.boxHeight - 3, 'middle', STATE))
  }
  if (arrow.label !== '')
    parts.push(textOf(arrow.label, label.x, label.y, label.anchor, kind === 'read' ? READ : STATE))
  return parts.join('')
}

/** Below a state's arrow the gradient on its way back; a thin dashed line where none comes. */
function backOf({ arrow: { back }, lines, label }: DrawnArrow): string[] {
  if (back === undefined) return []
  const [from, to] = lines[0]!.slice(0, 2) as [Point, Point]
  const note = textOf(back.text, label.x, label.y + 24, label.anchor, BACK)
  const title = `<title>${escaped(back.title)}</title>`
  if (back.share === undefined) {
    const line = `<path d="${lineOf(lines[0]!)}" fill="none" stroke="${BACK}" stroke-width="5" stroke-dasharray="1 5"/>`
    return [`<g class="gradient">${title}${line}${note}</g>`]
  }
  const width = 1 + (WIDEST - 1) * back.share
  // The head ends where the line of the state begins.
  const [length, half] = [5 + width / 2, 2 + 0.8 * width]
  const forward = Math.sign(to[0] - from[0])
  const neck = from[0] + forward * length
  const line = lineOf([[neck, from[1]], ...lines[0]!.slice(1)])
  const head = `${lineOf([from, [neck, from[1] - half], [neck, from[1] + half]])}Z`
  const stroke = `fill="none" stroke="${BACK}" stroke-width="${round(width)}" stroke-linejoin="round"`
  return [
    `<g class="gradient">${title}<g opacity="0.5"><path d="${line}" ${stroke}/><path d="${head}" fill="${BACK}"/></g>${note}</g>`,
  ]
}

function boxOf({ box, x, y, width, height, lines, isBold }: DrawnBox): string {
  const [fill, stroke, color] = COLORS[box.kind]
  const isPill = box.slot !== undefined
  const dash = isPill && box.kind === 'state' ? ' stroke-dasharray="3 2"' : ''
  const frame = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="${isPill ? 8 : 6}"`
  const middle = x + width / 2
  // The first line's letters are larger: lines are 16 apart, and all of them in the middle.
  const first = y + height / 2 - (lines.length - 1) * 8 + (isPill ? 4 : 5)
  const text = lines.map((line, i) => {
    const size = i > 0 || !isBold ? '' : ` font-size="${LETTERS.first}" font-weight="bold"`
    return `<text x="${round(middle)}" y="${round(first + i * 16)}" text-anchor="middle" fill="${color}"${size}>${escaped(line)}</text>`
  })
  return `<g class="${box.kind}" data-id="${escaped(box.id)}"><title>${escaped(box.title)}</title><rect ${frame} fill="${fill}" stroke="${stroke}" stroke-width="1.5"${dash}/>${text.join('')}</g>`
}

function textOf(text: string, x: number, y: number, anchor: string, color: string): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" fill="${color}">${escaped(text)}</text>`
}

function legendOf(
  entries: readonly (readonly [string, readonly [string, string, string]])[],
  top: number,
): { readonly parts: string[]; readonly width: number } {
  let x: number = MARGIN
  const parts = entries.map(([name, [fill, stroke, color]]) => {
    const left = x
    x += 20 + widthOf(name, LETTERS.label) + 14
    return `<rect x="${left}" y="${round(top)}" width="12" height="12" rx="3" fill="${fill}" stroke="${stroke}"/>${textOf(name, left + 18, top + 10, 'start', color)}`
  })
  return { parts, width: x }
}

function lineOf(points: readonly Point[]): string {
  return points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join('')
}

/** Two strokes that meet at the end of a line. */
function headOf(points: readonly Point[]): string {
  const [[x1, y1], [x2, y2]] = [points.at(-2)!, points.at(-1)!]
  const length = Math.sqrt((x2 - x1) * (x2 - x1) + (y2 - y1) * (y2 - y1))
  if (length === 0) return ''
  const [dx, dy] = [(x2 - x1) / length, (y2 - y1) / length]
  const [bx, by] = [x2 - 7 * dx, y2 - 7 * dy]
  return `M${round(bx - 3.5 * dy)} ${round(by + 3.5 * dx)}L${round(x2)} ${round(y2)}L${round(bx + 3.5 * dy)} ${round(by - 3.5 * dx)}`
}

const round = (value: number): number => Math.round(value * 10) / 10
