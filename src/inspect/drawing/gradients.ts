/** What gradientFlow gave, as arrows back: how wide they are, and what stands at them. */
import type { Model } from '../../layers/model.ts'
import { ArgumentError } from '../../tensor/errors.ts'
import type { GradientFlow } from '../gradient-flow.ts'

/** The gradient of a state of one step. */
export interface Back {
  /** 1 for the largest norm of all and what is not finite, 0 for one that is 10⁻⁶ of it or less; undefined for 0, where none comes. */
  readonly share: number | undefined
  readonly text: string
  readonly title: string
}

export interface Backs {
  readonly steps: number
  /** Of a state by path as step `step` of `steps` made it. */
  of(path: string, step: number, steps: number): Back
}

const DECADES = 6

/** @throws {ArgumentError} for what is no flow of this model, and where one has other steps */
export function backsOf(model: Model, flow: Pick<GradientFlow, 'states'>): Backs {
  const all = Object.entries(flow?.states ?? {}).map(([path, state]) => [path, state?.mean?.data] as const)
  const known = [...model.built.states.keys()]
  if (all.length === 0 || all.some(([path, norms]) => norms === undefined || !known.includes(path))) {
    throw new ArgumentError(
      `drawModel: flow must be what gradientFlow gave for this model, of its states ${known.join(', ') || 'none'}; received ` +
        `${all.map(([path]) => path).join(', ') || 'none'}`,
    )
  }
  const norms = new Map(all)
  const finite = all.flatMap(([, data]) => [...data!].filter(Number.isFinite))
  const largest = finite.reduce((most, norm) => Math.max(most, norm), 0)
  return {
    steps: all[0]![1]!.length,
    of: (path, step, steps) => {
      const own = norms.get(path)
      if (own?.length !== steps) {
        throw new ArgumentError(
          `drawModel: expected a flow of ${steps} steps of the state ${path}; received ${own?.length ?? 'none'}: leave steps ` +
            'out, or give what gradientFlow gave for this model',
        )
      }
      const norm = own[step]!
      const text = norm === 0 ? '0' : norm.toPrecision(2)
      const state = path.slice(path.indexOf('/') + 1)
      return {
        share: norm === 0 ? undefined : Number.isFinite(norm) ? shareOf(norm / largest) : 1,
        text,
        title: `‖∂L/∂${state}(${step + 1})‖ = ${text}`,
      }
    },
  }
}

/** Where a ratio stands in the decades from 10⁻⁶ (0) to 1, linear within each: the same on every engine. */
function shareOf(ratio: number): number {
  let [rest, decades] = [ratio, 0]
  for (; rest < 0.1 && decades < DECADES; rest *= 10) decades++
  return Math.max(0, 1 - (decades + (1 - rest) / 0.9) / DECADES)
}
