/** The arrows of states: from step to step, from what they begin with, and to where they end. */
import { fullName, type Part, type Recurrence, type State } from './anatomy.ts'
import type { Backs } from './gradients.ts'
import type { Arrow, Box, Flow, Line, Sheet } from './sheet.ts'

/** A recurrence as it is drawn. */
export interface Drawn {
  readonly part: Part
  readonly recurrence: Recurrence
  readonly steps: Line
  /** What the steps yield: boxes of their own where that goes back into the next step. */
  readonly outputs: Line
}

export interface Surroundings {
  /** Weights as a label. */
  named(weights: readonly string[]): string
  /** What a state begins with that another layer gives. */
  given(state: string): Flow | undefined
  readonly backs: Backs | undefined
}

export function connectStates(
  sheet: Sheet,
  { part, recurrence, steps, outputs }: Drawn,
  { named, given, backs }: Surroundings,
): void {
  const { reverse, states } = recurrence
  const n = steps.boxes.length
  const order = Array.from({ length: n }, (_, k) => (reverse ? n - 1 - k : k))
  const [first, last] = [order[0]!, order[n - 1]!]
  for (const [i, state] of states.entries()) {
    const [line, slot] = state.isFed ? [outputs, 0] : [steps, i]
    const label = (when: string) => named(state.weights) || `${state.name}${when}`
    const path = `${part.call.name}/${fullName(recurrence.part, state.name)}`
    const arrow = (from: Box, to: Box, more: Partial<Arrow>) => {
      const sides = reverse
        ? ({ exit: 'left', entry: 'right' } as const)
        : ({ exit: 'right', entry: 'left' } as const)
      const net = `${from.id} ${more.slots?.[0]} ${more.kind}`
      sheet.arrows.push({
        ...{
          from: [from],
          to,
          kind: 'state',
          ...sides,
          slots: [slot, i],
          label: '',
          net,
          direct: false,
          reverse,
        },
        ...more,
      })
    }
    const before = `(${!reverse ? 0 : sheet.folded ? 'τ + 1' : n + 1})`
    if (state.isRead) {
      const to = steps.boxes[first]!
      const handed = state.begins === 'given' ? given(fullName(recurrence.part, state.name)) : undefined
      if (handed !== undefined) {
        const { line: other, sole } = handed.lines[0]!
        if (other.axis !== steps.axis) steps.axis.after.add(other.axis)
        const isSide = handed.slot !== undefined && !sheet.folded
        const slots = [handed.slot ?? 0, i] as const
        const net = isSide ? `${sole.id} ${handed.slot} state` : sole.id
        arrow(sole, to, {
          slots,
          net,
          label: label(before),
          exit: isSide ? 'right' : 'top',
          // Loops are to the right.
          entry: reverse && !sheet.folded ? 'right' : 'left',
        })
      } else if (!sheet.folded) {
        const text = `${state.name}${before} ${BEGINS[state.begins]}`
        arrow(
          pillBeside(sheet, to, { text, slot: i, at: reverse ? 'end' : 'begin', state, kind: 'state' }),
          to,
          {
            slots: [0, i],
            label: named(state.weights),
          },
        )
      }
      for (const [at, k] of order.slice(1).entries()) {
        const step = order[at]!
        arrow(line.boxes[step]!, steps.boxes[k]!, {
          label: label(sheet.when(step)),
          back: backs?.of(path, step, n),
        })
      }
      if (sheet.folded)
        arrow(line.boxes[0]!, to, { kind: 'loop', exit: 'right', entry: 'right', label: label('') })
    }
    const { returnState, stateful } = part.call.layer
    if (sheet.folded || (returnState !== true && stateful !== true)) continue
    const from = line.boxes[last]!
    const text = `${state.name}${sheet.when(last)}${returnState === true ? '' : ' kept'}`
    const kind = returnState === true ? 'output' : 'state'
    const pill = pillBeside(sheet, from, { text, slot, at: reverse ? 'begin' : 'end', state, kind })
    arrow(from, pill, { slots: [slot, 0], back: backs?.of(path, last, n) })
  }
}

const BEGINS = { zeros: '= 0', learnt: 'learnt', kept: 'kept', given: 'given' } as const

/** A state before the first step or after the last. */
function pillBeside(
  sheet: Sheet,
  { axis, row, slots, id }: Box,
  own: { text: string; slot: number; at: 'begin' | 'end'; state: State; kind: Box['kind'] },
): Box {
  const { text, slot, at, state, kind } = own
  const title = `state ${state.name} ${at === 'begin' ? 'before' : 'after'} ${id}`
  return sheet.add({
    kind,
    id: `${state.name} ${at} ${id}`,
    lines: [text],
    title,
    axis,
    row,
    at,
    slots,
    slot,
  })
}
