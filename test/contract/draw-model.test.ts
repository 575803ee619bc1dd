/** Pictures of models: their boxes and arrows are what the models' calls, states and steps say, and stand clear of each other. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { elmanCell, gruCell, jordanCell, lstmCell, stacked } from '../../src/cells/index.ts'
import { sequences } from '../../src/data/index.ts'
import { drawModel, gradientFlow } from '../../src/inspect/index.ts'
import { attention } from '../../src/layers/attention.ts'
import { bidirectional } from '../../src/layers/bidirectional.ts'
import { dense } from '../../src/layers/dense.ts'
import { call, type Flow, input, model } from '../../src/layers/functional.ts'
import { globalMaxPooling1d } from '../../src/layers/global-pooling.ts'
import { concatenate } from '../../src/layers/merge.ts'
import { elman, recurrent } from '../../src/layers/recurrent.ts'
import { sequential } from '../../src/layers/sequential.ts'
import { random } from './support.ts'

interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}
type Segment = readonly [x1: number, y1: number, x2: number, y2: number]

const plain = (text: string) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

/** What a picture shows, read from its text. */
function seen(svg: string) {
  const boxes = [...svg.matchAll(/<g class="(\w+)" data-id="([^"]*)">.*?<rect ([^>]*)>(.*?)<\/g>/g)].map(
    ([, kind, id, rect, texts]) => {
      const of = (name: string) => Number(new RegExp(` ${name}="([-\\d.]+)"`).exec(` ${rect}`)![1])
      const lines = [...texts!.matchAll(/<text[^>]*>([^<]*)</g)].map((match) => plain(match[1]!))
      const place: Rectangle = { x: of('x'), y: of('y'), width: of('width'), height: of('height') }
      return { kind: kind!, id: plain(id!), lines, ...place }
    },
  )
  const arrows = [
    ...svg.matchAll(/<path class="(\w+)" data-from="([^"]*)" data-to="([^"]*)" d="([^"]*)"/g),
  ].map(([, kind, from, to, d]) => {
    const segments = d!
      .split('M')
      .slice(1)
      .flatMap((line): Segment[] => {
        const points = line.split('L').map((point) => point.split(' ').map(Number) as [number, number])
        return points.slice(1).map((point, i) => [...points[i]!, ...point] as const)
      })
    return { kind: kind!, from: plain(from!), to: plain(to!), segments }
  })
  const labels = svg.split('\n').flatMap((line): (Rectangle & { id: string })[] => {
    if (!line.startsWith('<path class')) return []
    return [...line.matchAll(/<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)"[^>]*>([^<]*)</g)].map(
      (match) => {
        const [x, y, width] = [Number(match[1]), Number(match[2]), 6 * [...match[4]!].length]
        const left = x - { start: 0, middle: width / 2, end: width }[match[3]!]!
        return { id: `label ${match[4]}`, x: left, y: y - 9, width, height: 9 }
      },
    )
  })
  const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg)!.map(Number) as [
    number,
    number,
    number,
  ]
  return { boxes, arrows, labels, width, height }
}

/** Tags that nest, attributes in quotes, no bare & or <. */
function requireXml(svg: string): void {
  const open: string[] = []
  const rest = svg.replace(
    /<(\/?)([a-z]+)((?: [\w:-]+="[^"<]*")*)(\/?)>/g,
    (_, close, name, _attributes, empty) => {
      if (close) expect(open.pop()).toBe(name)
      else if (!empty) open.push(name)
      return ''
    },
  )
  expect(open).toEqual([])
  expect(rest).not.toMatch(/[<>]|&(?!(amp|lt|gt|quot);)/)
}

/** Nothing overlaps, no arrow goes through a box or along the line of another, nothing is cut off. */
function requireClear(svg: string): void {
  requireXml(svg)
  const { boxes, arrows, labels, width, height } = seen(svg)
  const ids = new Set(boxes.map(({ id }) => id))
  expect(ids.size).toBe(boxes.length)
  const faults: string[] = []
  const inside = ({ x, y, width: w, height: h }: Rectangle, [x1, y1, x2, y2]: Segment) =>
    Math.max(x1, x2) > x + 1 &&
    Math.min(x1, x2) < x + w - 1 &&
    Math.max(y1, y2) > y + 1 &&
    Math.min(y1, y2) < y + h - 1
  const placed = [...boxes, ...labels]
  for (const [i, a] of placed.entries()) {
    if (a.x < 0 || a.y < 0 || a.x + a.width > width || a.y + a.height > height)
      faults.push(`${a.id} is cut off`)
    for (const b of placed.slice(i + 1)) {
      if (inside(a, [b.x, b.y, b.x + b.width, b.y + b.height])) faults.push(`${a.id} over ${b.id}`)
    }
  }
  for (const { id, lines, width } of boxes) {
    for (const line of lines) if ([...line].length * 6 > width) faults.push(`${line} is wider than ${id}`)
  }
  const lines = arrows.flatMap((arrow) => arrow.segments.map((segment) => ({ ...arrow, segment })))
  for (const { kind, from, to, segment } of lines) {
    for (const end of [...from.split('; '), to]) expect(ids).toContain(end)
    for (const box of boxes)
      if (inside(box, segment)) faults.push(`${kind} ${from} → ${to} through ${box.id}`)
  }
  const parts = (axis: 0 | 1) =>
    lines.flatMap(({ from, to, segment }) => {
      const [at, again] = [segment[axis], segment[axis + 2]!]
      const [low, high] = [segment[1 - axis]!, segment[3 - axis]!].sort((p, q) => p - q) as [number, number]
      return at === again ? [{ from, to, at, low, high }] : []
    })
  for (const axis of [0, 1] as const) {
    const sorted = parts(axis).sort((p, q) => p.at - q.at || p.low - q.low)
    for (const [i, a] of sorted.entries()) {
      for (let j = i + 1; sorted[j]?.at === a.at && sorted[j]!.low < a.high - 1; j++) {
        const b = sorted[j]!
        if (!b.from.split('; ').some((id) => a.from.split('; ').includes(id)))
          faults.push(`${a.from} → ${a.to} along ${b.from} → ${b.to}`)
      }
    }
  }
  expect([...new Set(faults)]).toEqual([])
}

/** Cells with the states that go from step to step, and whether the last is an output that is fed back. */
const CELLS = [
  { cell: elmanCell({ units: 4 }), states: ['h'], fed: false },
  { cell: gruCell({ units: 4 }), states: ['h'], fed: false },
  { cell: lstmCell({ units: 4 }), states: ['h', 'c'], fed: false },
  { cell: jordanCell({ units: 3, outputs: 4 }), states: ['o'], fed: true },
  {
    cell: stacked([lstmCell({ units: 4 }), jordanCell({ units: 3, outputs: 4 })]),
    states: ['0 h', '0 c', '1 o'],
    fed: true,
  },
] as const

/** What flows in a model that is drawn at random. */
interface Known {
  readonly flow: Flow
  /** '' without time. */
  readonly time: 'a' | 'b' | ''
  /** As an output it has no boxes of its own. */
  readonly shown: boolean
}

/** A model drawn at random, and how many boxes and arrows its picture has. */
function drawn(seed: number, steps: number) {
  const { integers } = random(seed)
  const below = (n: number) => integers(1, 0, n - 1)[0]!
  const count = { boxes: 0, read: 0, state: 0 }
  const inputs = { a: input({ shape: ['A', 4] }), b: input({ shape: ['Z', 4] }), c: input({ shape: [4] }) }
  const all: Known[] = (['a', 'b', ''] as const).map((time) => ({
    flow: inputs[time || 'c'],
    time,
    shown: false,
  }))
  const unread = new Set(all)
  const pick = (fits: (each: Known) => boolean) => {
    const found = all.filter(fits)
    return found[below(found.length)]!
  }
  const tally = (time: Known['time'], boxes: number, read: number) => {
    const n = time === '' ? 1 : steps
    count.boxes += n * boxes
    count.read += n * read
  }
  const add = (known: Known, ...read: readonly Known[]) => {
    for (const each of read) unread.delete(each)
    all.push(known)
    unread.add(known)
  }
  const toFour = (flow: Flow, time: Known['time'], from: number, ...read: readonly Known[]) => {
    tally(time, 1, from)
    add({ flow: flow.to(dense({ units: 4 })), time, shown: true }, ...read)
  }
  for (const { time } of all) tally(time, 1, 0)
  const layers = [
    () => {
      const x = pick(() => true)
      toFour(x.flow, x.time, 1, x)
    },
    () => {
      const x = pick(() => true)
      const y = pick(({ time }) => time === x.time)
      tally(x.time, 1, x === y ? 1 : 2)
      toFour(call(concatenate(), [x.flow, y.flow]), x.time, 1, x, y)
    },
    () => {
      const [x, y] = [pick(({ time }) => time === 'b'), pick(({ time }) => time === 'a')]
      tally(x.time, 1, 2)
      toFour(call(attention({ score: 'general' }), [x.flow, y.flow]), x.time, 1, x, y)
    },
    () => {
      const x = pick(({ time }) => time !== '')
      tally('', 1, 1)
      add({ flow: x.flow.to(globalMaxPooling1d()), time: '', shown: true }, x)
    },
    ...[1, 1, 2].map((directions) => () => {
      const x = pick(({ time }) => time !== '')
      const { cell, states, fed } = CELLS[below(CELLS.length)]!
      const [returnSequences, returnState, goBackwards] = [below(2) === 0, below(4) === 0, below(3) === 0]
      const name = `r${all.length}`
      const layer = recurrent(cell, { returnSequences, returnState, goBackwards, name })
      const given = directions === 1 && below(3) === 0 ? pick(({ time }) => time === '') : undefined
      const initialState = given && { [states.at(-1)!]: given.flow }
      const own = directions === 1 ? layer : bidirectional(layer, { name })
      const flow = call(own, [x.flow], { initialState })
      const ends = returnState ? states.length : 0
      tally(x.time, directions * (fed ? 2 : 1), directions * (fed ? 2 : 1))
      count.boxes += directions * (states.length + ends) - (given ? 1 : 0)
      count.state += directions * (states.length * steps + ends)
      const time = returnSequences ? x.time : ''
      const read = given ? [x, given] : [x]
      if (directions === 2) toFour(flow, time, 2, ...read)
      else add({ flow, time, shown: fed && returnSequences }, ...read)
    }),
  ]
  for (let i = 0; i < 7; i++) layers[below(layers.length)]!()
  for (const each of all.slice(0, 3)) if (unread.has(each)) toFour(each.flow, each.time, 1, each)
  for (const { time, shown } of unread) tally(time, shown ? 0 : 1, shown ? 0 : 1)
  const outputs = Object.fromEntries([...unread].map(({ flow }, i) => [`y${i}`, flow]))
  return { net: model({ inputs, outputs }), count }
}

test('models drawn at random: as many boxes and arrows as calls, states and steps say, and all stand clear', () => {
  const labels = fc.constantFrom('states', 'weights')
  const property = fc.property(
    fc.nat(),
    fc.integer({ min: 1, max: 5 }),
    labels,
    fc.boolean(),
    (seed, steps, labels, loss) => {
      const { net, count } = drawn(seed, steps)
      const options = { labels, loss } as const
      const svg = drawModel(net, { steps, ...options })
      expect(drawModel(net, { steps, ...options })).toBe(svg)
      requireClear(svg)
      const { boxes, arrows } = seen(svg)
      const of = (kind: string) => arrows.filter((arrow) => arrow.kind === kind).length
      const losses = boxes.filter(({ kind }) => kind === 'loss').length
      expect(losses > 0).toBe(loss)
      expect({ boxes: boxes.length - losses, read: of('read') - losses, state: of('state') }).toEqual(count)
      requireClear(drawModel(net, options))
    },
  )
  fc.assert(property, { numRuns: process.env['RECURRA_LONG'] === '1' ? 1000 : 60 })
})

const layers = [elman({ units: 3, returnSequences: true }), dense({ units: 2 })]
const textbook = sequential(layers, { input: { shape: [null, 4], dtype: 'f32' } })
const arrowsOf = (svg: string) => seen(svg).arrows.map(({ kind, from, to }) => `${kind} ${from} → ${to}`)

test('folded: input, state with its loop, output; unfolded: the same at every step, equally far apart', () => {
  const folded = drawModel(textbook, { labels: 'weights' })
  const [x, h, o] = ['input x(t)', 'elman(t)', 'dense(t)']
  expect(arrowsOf(folded).sort()).toEqual([`loop ${h} → ${h}`, `read ${h} → ${o}`, `read ${x} → ${h}`])
  const labels = seen(folded).labels.map(({ id }) => id)
  expect(labels.sort()).toEqual(['label U', 'label V', 'label W', 'label z⁻¹'])
  const steps = Array.from({ length: 12 }, (_, t) => t + 1)
  const svg = drawModel(textbook, { steps: 12 })
  const states = steps.map((t) => `state ${t === 1 ? 'h begin elman(1)' : `elman(${t - 1})`} → elman(${t})`)
  const reads = steps.flatMap((t) => [`read elman(${t}) → dense(${t})`, `read input x(${t}) → elman(${t})`])
  expect(arrowsOf(svg).sort()).toEqual([...states, ...reads].sort())
  const lefts = (kind: string) => seen(svg).boxes.flatMap((box) => (box.kind === kind ? [box.x] : []))
  const [first, second] = lefts('hidden') as [number, number]
  for (const [i, left] of lefts('hidden').entries()) expect(left).toBeCloseTo(first + i * (second - first))
  for (const kind of ['input', 'output']) expect(lefts(kind)).toEqual(lefts('hidden'))
  const fills = svg.matchAll(/<g class="(\w+)" data-id=.*?<rect .*? fill="(#\w+)"/g)
  const colors = { input: '#fde7e4', hidden: '#e3f3e6', output: '#e2ecfd', state: '#ffffff' }
  expect(Object.fromEntries([...fills].map((match) => [match[1], match[2]]))).toEqual(colors)
})

test('gradients on their way back: a number at every state, the width by decades, finite or not', async () => {
  const x = [0, 1, 2, 3].map((t) => [t, 1, -t, 2])
  const [batch] = sequences([x], [x.map(() => [1, 0])], { batch: 1 })
  const { states } = await gradientFlow(textbook, batch!, { loss: 'meanSquaredError' })
  const norms = [...states['elman/h']!.mean.data].map((norm) => (norm as number).toPrecision(2))
  const notes = (svg: string) => [...svg.matchAll(/∂L\/∂h\(\d\)‖ = ([^<]*)/g)].map((match) => match[1])
  expect(notes(drawModel(textbook, { flow: { states } }))).toEqual(norms.slice(0, 3))
  const mean = { dtype: 'f32', shape: [6], data: Float32Array.of(100, 10, 1e-9, 0, Infinity, 1) } as const
  const svg = drawModel(textbook, { flow: { states: { 'elman/h': { mean, rows: mean } } } })
  const widths = [...svg.matchAll(/stroke="#8430ce" stroke-width="([\d.]+)"/g)].map((match) => match[1])
  expect([notes(svg)[4], widths]).toEqual(['Infinity', ['10', '8.5', '1', '5', '10']])
})

test('what cannot be drawn is refused with what was expected and what was received', () => {
  const refused = (options: object) => () => drawModel(textbook, options)
  expect(refused({ step: 3 })).toThrow('no option step; expected steps, labels, loss, flow, title')
  expect(refused({ steps: 0 })).toThrow('steps must be an integer of at least 1; received 0')
  expect(refused({ steps: 5000 })).toThrow('x would have 5000 steps; expected 1 to 1000')
  expect(refused({ flow: { states: {} } })).toThrow('of its states elman/h; received none')
  expect(() => drawModel(sequential(layers))).toThrow('the model does not know its input yet')
})
