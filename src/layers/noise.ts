/**
 * What a recurrent layer draws while it is trained: masks that all steps of a row share, which its cell asks for, and,
 * anew at every step, which numbers of a state hold. Loaded only for models that draw.
 */
import { randomUniform } from '../graph/functions.ts'
import { gather, type Value, where } from '../graph/value.ts'
import { seedWord } from '../tensor/random.ts'
import type { NoiseOf } from './layer.ts'

/** As f32, so that a comparison in f64 draws the same. */
const below = (drawn: Value, share: number) => drawn.less(Math.fround(share))
const [MASK, HELD] = ['noise ', 'zoneout ']

export const noiseOf: NoiseOf = ({ states, noise = {} }, { rates, seed }, { value, packing }, scope) => {
  const key = (name: string) => ({
    ...scope.random(name),
    ...(seed !== undefined && { seed: seedWord(seed) }),
  })
  const xs: Record<string, Value> = {}
  const masks = Object.entries(noise).map(([name, { shape, rate }]) => {
    // By row alone, whatever the layout of the steps.
    const ofRow = { ...key(MASK + name), rows: undefined, rowAxis: 0, time: 0 }
    const mask = where(below(randomUniform(['B', ...shape], ofRow), 1 - rate), 1 / (1 - rate), 0)
    // Held by row, it would keep the products that read it in a loop over packed ones.
    if (packing !== undefined) xs[MASK + name] = gather(mask, packing.rows)
    return [MASK + name, mask] as const
  })
  const lead = value.shape.slice(0, packing === undefined ? 2 : 1)
  for (const name of rates.keys()) {
    xs[HELD + name] = randomUniform([...lead, ...states[name]!], key(HELD + name))
  }
  return {
    xs,
    masks: (x) => masks.map(([name, mask]) => x[name] ?? mask),
    after: (name, old, made, x) => where(below(x[HELD + name]!, rates.get(name)!), old, made),
  }
}
