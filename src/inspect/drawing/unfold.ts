/** From a model's calls to boxes and arrows: one column where time stays folded, else one for every step. */

import { marginsOf } from '../../graph/functions.ts'
import type { Model } from '../../layers/model.ts'
import { isOpen, openShape, SOLE_OUTPUT, type Source } from '../../layers/parts.ts'
import type { Sliding } from '../../layers/sliding.ts'
import { ArgumentError } from '../../tensor/errors.ts'
import { evaluateSize, printShape, type Size, shapeOf, size as sizeOf, symbolsOf } from '../../tensor/size.ts'
import { fullName, type Part, type Recurrence } from './anatomy.ts'
import type { Backs } from './gradients.ts'
import { connectStates, type Drawn } from './recurrences.ts'
import { type Box, type Extent, type Flow, flowOf, type Line, Sheet, type Strand } from './sheet.ts'

export interface UnfoldOptions {
  /** Undefined where time stays folded. */
  readonly steps: number | undefined
  readonly loss: boolean
  readonly labels: 'states' | 'weights'
  /** Gradients that come back along states. */
  readonly backs: Backs | undefined
}

/** More would be no picture any more. */
const MOST_STEPS = 1000

/** @throws {ArgumentError} where there are too few steps for a layer to make one of them, or more than can be drawn */
export function sheetOf(model: Model, parts: readonly Part[], options: UnfoldOptions): Sheet {
  return new Unfolding(model, parts, options).sheet
}

class Unfolding {
  readonly sheet: Sheet
  readonly #model: Model
  readonly #options: UnfoldOptions
  readonly #parts: readonly Part[]
  readonly #inputs = new Map<string, Line>()
  /** Of calls without recurrences. */
  readonly #plain = new Map<Part, Line>()
  readonly #drawn = new Map<Recurrence, Drawn>()

  constructor(model: Model, parts: readonly Part[], options: UnfoldOptions) {
    this.sheet = new Sheet(options.steps === undefined)
    this.#model = model
    this.#options = options
    this.#parts = parts
    for (const [name, spec] of model.built.inputs) {
      const shape = shapeOf(openShape(spec.shape))
      const lines = (when: string) => [`${name}${when}`]
      const extent = isOpen(spec) ? this.#extent(shape[1]!, [], name) : undefined
      const own = { kind: 'input', id: `input ${name}`, lines, title: `input ${printShape(shape)}` } as const
      this.#inputs.set(name, this.sheet.line(own, extent, []))
    }
    for (const part of this.#parts) this.#call(part)
    for (const each of this.#drawn.values()) {
      const given = (state: string) => this.#given(each.part, state)
      connectStates(this.sheet, each, { named: this.#named, given, backs: options.backs })
    }
    for (const [name, source] of model.outputs) this.#output(name, source)
  }

  #call(part: Part): void {
    const { call, recurrences, steps } = part
    const flows = part.reads.map(({ source }) => this.#flow(source))
    const shown = this.#shownBy(part)
    const [kind, title] = [shown === undefined ? 'hidden' : 'output', this.#titleOf(part)] as const
    if (recurrences.length === 0) {
      const lines = (when: string) => (shown === undefined ? [call.name] : [`${shown}${when}`, call.name])
      const extent = steps && this.#extent(steps, flows, call.name)
      const line = this.sheet.line({ kind, id: call.name, lines, title }, extent, flows)
      this.#plain.set(part, line)
      this.#connect(part, flows, line)
    }
    for (const recurrence of recurrences) {
      const { states, inner } = recurrence
      const name = fullName(call.name, recurrence.part)
      const extent = this.#extent(recurrence.steps, flows, call.name)
      const own = states.filter(({ isFed }) => !isFed).map((state) => state.name)
      const names = [call.name, ...(recurrence.part === '' ? [] : [recurrence.part])]
      const lines = (when: string) => (own.length === 0 ? names : [statesAt(own, when), ...names])
      const spec = { kind: 'hidden', id: name, lines, title, slots: states.length, alone: true } as const
      const line = this.sheet.line(spec, extent, flows)
      this.#connect(part, flows, line)
      const fed = states.find(({ isFed }) => isFed)
      const outputs =
        fed &&
        this.sheet.line(
          {
            ...{ kind, id: `${name} ${fed.name}`, title },
            lines: (when) => [`${shown ?? fed.name}${when}`, ...names],
          },
          extent,
          [flowOf(line)],
        )
      for (const [k, to] of outputs?.boxes.entries() ?? []) {
        this.sheet.read([line.boxes[k]!], to, this.#named(inner))
      }
      this.#drawn.set(recurrence, { part, recurrence, steps: line, outputs: outputs ?? line })
    }
  }

  /** Arrows from what a call reads to the boxes of a line. */
  #connect(part: Part, flows: readonly Flow[], line: Line): void {
    for (const [i, { steps, weights }] of part.reads.entries()) {
      const flow = flows[i]!
      const label = this.#named(weights)
      for (const [k, to] of line.boxes.entries()) {
        if (steps === 'each' || this.sheet.folded) {
          this.#read(flow, k, line, [label, typeof steps === 'object' ? `${steps.size} steps` : steps])
        } else if (steps === 'all') {
          const all = flow.lines.flatMap((each) => each.line.boxes)
          this.sheet.read(all, to, label, { net: `all ${part.call.name} ${i}` })
        } else {
          const seen = flow.lines.flatMap((each) => underWindow(each.line.boxes, steps, k))
          this.sheet.read(seen, to, label, { net: `window ${to.id} ${i}`, direct: true })
        }
      }
    }
  }

  /** What stands there at one step; where time is folded, the label says which step it is. */
  #read(flow: Flow, k: number, line: Line, [label, steps]: readonly [string, string]): void {
    const repeated = !flow.timed && line.timed ? 'every t' : ''
    for (const { line: read, sole, last } of flow.lines) {
      const which =
        steps === 'each'
          ? [flow.timed ? '' : last, repeated].filter(Boolean).join(' → ')
          : steps.replace('all', 'all t')
      const text = [label, this.sheet.folded ? which : ''].filter(Boolean).join(', ')
      this.sheet.read([flow.timed ? read.boxes[k]! : sole], line.boxes[k]!, text)
    }
  }

  #output(name: string, source: Source): void {
    const symbol = symbolOf(name)
    const flow = this.#flow(source)
    let line = flow.lines[0]!.line
    const part = 'call' in source && source.part === undefined ? this.#parts[source.call]! : undefined
    if (part === undefined || this.#shownBy(part) !== symbol) {
      const lines = (when: string) => [`${symbol}${when}`]
      const spec = { kind: 'output', id: `output ${name}`, lines, title: `output ${name}` } as const
      line = this.sheet.line(spec, extentOf(flow), [flow])
      for (const k of line.boxes.keys()) this.#read(flow, k, line, ['', 'each'])
    }
    if (!this.#options.loss) return
    const own = { ...flow, lines: line === flow.lines[0]!.line ? flow.lines : flowOf(line).lines }
    const target = name === SOLE_OUTPUT ? 'y' : name
    const lines = (when: string) => [`L${when}`, `target ${target}${when}`]
    const spec = {
      kind: 'loss',
      id: `loss ${name}`,
      lines,
      title: `loss of ${symbol} against its target`,
    } as const
    const losses = this.sheet.line(spec, extentOf(own), [own])
    for (const k of losses.boxes.keys()) this.#read(own, k, losses, ['', 'each'])
  }

  /** What flows from a source. */
  #flow(source: Source): Flow {
    if ('input' in source) return flowOf(this.#inputs.get(source.input)!)
    const part = this.#parts[source.call]!
    const found = part.yields(source.part)
    if (found === undefined) return this.#state(part, source.part!)!
    const timed = found.steps !== undefined
    const own = found.from.map((recurrence) => this.#drawn.get(recurrence)!)
    if (own.length === 0) return { ...flowOf(this.#plain.get(part)!), timed }
    const lines = own.map(({ outputs, recurrence }) => endOf(outputs, recurrence))
    return { timed, lines }
  }

  /** A state after the last step, by its name in the layer. */
  #state({ recurrences }: Part, name: string): Flow | undefined {
    for (const recurrence of recurrences) {
      const slot = recurrence.states.findIndex((state) => fullName(recurrence.part, state.name) === name)
      if (slot < 0) continue
      const { steps, outputs } = this.#drawn.get(recurrence)!
      const isFed = recurrence.states[slot]!.isFed
      const lines = [endOf(isFed ? outputs : steps, recurrence)]
      return { timed: false, slot: isFed ? 0 : slot, lines }
    }
    return undefined
  }

  /** What a call begins with in the place of a state of its own. */
  #given({ call: { states } }: Part, name: string): Flow | undefined {
    if (typeof states === 'number') return this.#state(this.#parts[states]!, name)
    const source = states?.[name]
    return source && this.#flow(source)
  }

  /** What the boxes of a call are called that are those of an output. A hidden state is none: that stands above it. */
  #shownBy({ call, recurrences, steps }: Part): string | undefined {
    const at = this.#model.calls.indexOf(call)
    const own = [...this.#model.outputs].filter(([, source]) => 'call' in source && source.call === at)
    const [[name, source] = ['', undefined], ...others] = own
    if (source === undefined || others.length > 0 || !('call' in source) || source.part !== undefined)
      return undefined
    const [first, second] = recurrences
    const isFed = second === undefined && steps !== undefined && first?.states.some((state) => state.isFed)
    return first === undefined || isFed ? symbolOf(name) : undefined
  }

  #titleOf({ call }: Part): string {
    const { params, variables, calls } = this.#model.built
    const { shape } = calls[this.#model.calls.indexOf(call)]!.output
    const start = `${call.weights}/`
    const own = [...params.keys(), ...variables.keys()].filter((path) => path.startsWith(start))
    const weights = own.map((path) => path.slice(start.length)).join(', ')
    return `${call.name} ${printShape([...shapeOf(['B']), ...shape])}${weights && `, weights ${weights}`}`
  }

  #named = (weights: readonly string[]): string =>
    this.#options.labels === 'weights' ? weights.join(', ') : ''

  /** @throws {ArgumentError} where no step would be left, or too many */
  #extent(size: Size, flows: readonly Flow[], name: string): Extent {
    const symbols = [...symbolsOf(size)]
    const { steps: given } = this.#options
    const steps = given === undefined ? 1 : evaluateSize(size, new Map(symbols.map((each) => [each, given])))
    if (steps < 1 || steps > MOST_STEPS) {
      throw new ArgumentError(
        `drawModel: with steps ${given} ${name} would have ${steps} steps; expected 1 to ${MOST_STEPS}`,
      )
    }
    // A fixed number of steps that is made of steps stands over those.
    const before = symbols.length > 0 ? undefined : flows.find(({ timed }) => timed)?.lines[0]?.line.axis
    return { axis: before ?? this.sheet.axis(symbols.join() || size.key), steps }
  }
}

/** h(2), c(2); of more than two h, c, n (2). */
function statesAt(names: readonly string[], when: string): string {
  return names.length > 2 ? `${names.join(', ')} ${when}` : names.map((name) => `${name}${when}`).join(', ')
}

const symbolOf = (output: string) => (output === SOLE_OUTPUT ? 'o' : output)

function extentOf({ timed, lines }: Flow): Extent {
  const { axis, boxes } = lines[0]!.line
  return timed ? { axis, steps: boxes.length } : undefined
}

/** What a recurrence leaves after its last step. */
function endOf(line: Line, { reverse }: Recurrence): Strand {
  return reverse
    ? { line, sole: line.boxes[0]!, last: 't = 1' }
    : { line, sole: line.boxes.at(-1)!, last: 't = τ' }
}

/** What of the steps stands under a window, the zeros around them left out. */
function underWindow(boxes: readonly Box[], sliding: Sliding, k: number): Box[] {
  const { size, strides, dilation, padding } = sliding
  const [low] = marginsOf(padding, sizeOf(boxes.length), (size - 1) * dilation, strides)
  const first = k * strides - evaluateSize(sizeOf(low), new Map())
  return Array.from({ length: size }, (_, place) => boxes[first + place * dilation]).filter(
    (box) => box !== undefined,
  )
}
