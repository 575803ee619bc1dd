/**
 * Scheduled sampling of tokens (Bengio et al. 2015): a training step whose decoder reads, at each step of each row, the token
 * that it is given or the one that it has itself made of the step before. What does not depend on those tokens, an
 * encoder, stands before the loop; the rest is run in it a step at a time, its states carried. Loaded only for that.
 */
import { argMax, randomCategorical, randomUniform } from '../graph/functions.ts'
import { scan } from '../graph/scan.ts'
import { constant, iota, or, type Value, where } from '../graph/value.ts'
import type { Fold, Signal } from '../layers/layer.ts'
import type { Model } from '../layers/model.ts'
import type { Forward, ModelScope } from '../layers/parts.ts'
import { cut, inside } from '../layers/signals.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { streamOf } from '../tensor/random.ts'
import { dependentsOf, feedbackOf, isLogits } from './dependents.ts'
import { FORCING, facesOf, leafScope, type Reading, WHOLE } from './leaves.ts'
import type { ScheduledSampling } from './scheduled-sampling.ts'
import type { StepOptions } from './step.ts'
import { overlaps } from './truncation.ts'

const WHAT = 'teacherForcing'
const OWN = ' own' as string

/** @throws {ArgumentError} for a model that reads no tokens of its own, or cannot be run a step at a time; if it is built */
export function checkSampledTokens(model: Model, { truncate }: StepOptions, plan: ScheduledSampling): void {
  if (overlaps(truncate)) {
    throw new ArgumentError(
      'teacherForcing: tokens are sampled within one window, but truncate with k1 < k2 shares steps between windows: ' +
        'give k1 = k2',
    )
  }
  if (!model.isBuilt) return
  const { inputs, outputs } = model.built
  const feedback = feedbackOf(WHAT, model, plan.feedback)
  const { dtype, shape } = inputs.get(feedback)!
  const [output] = outputs.values()
  if (dtype !== 'i32' || shape.length !== 1 || outputs.size !== 1 || !isLogits(output!)) {
    throw new ArgumentError(
      'teacherForcing: scheduledSampling under a loss on classes expects a model of tokens [B, T] → logits [B, T, V], ' +
        `which reads those before; ${feedback} is ${dtype}[B, ${shape.map((size) => size ?? 'T').join(', ')}]`,
    )
  }
  dependentsOf(WHAT, model, feedback)
}

/** Reads a batch so. Rows of unlike lengths come with a mask. */
export const sampledTokens = (plan: ScheduledSampling): Reading => ({
  ...WHOLE,
  forward: (model, get, leaves) => {
    const feedback = feedbackOf(WHAT, model, plan.feedback)
    const scope = leafScope(get, leaves)
    const faces = facesOf(model, get, leaves)
    const { value: given, mask } = inside(faces.get(feedback)!)
    faces.delete(feedback)
    const dependent = dependentsOf(WHAT, model, feedback)
    const known = model.run(faces, scope, (call) => !dependent.has(call))
    const [T, B] = given.shape
    const read = (token: Value, there: Value | undefined, time: Value, initial: ModelScope['initial']) => {
      const face = { value: token.expandDims(1), sequence: true, mask: there?.expandDims(0) }
      const all = new Map<string, Signal>([...faces, [feedback, face]])
      const own = { ...scope, fold: atOnce, time: time.expandDims(0), initial }
      return model.finish(model.run(all, own, () => true, known))
    }
    const begins: Record<string, Value> = {}
    const first = (all: Value) => all.slice(0, 0, 1).reshape([B!])
    const begun = read(first(given), mask && first(mask), constant(0, [], 'i32'), (path, begin, isGiven) => {
      begins[path] = scope.initial(path, begin, isGiven)
      return begin
    })
    requireStill(begun, known)
    const key = { ...scope.random(), stream: streamOf('scheduled sampling') }
    const chosen = randomUniform([T!, B!], { ...key, rowAxis: 1, time: iota([T!]) }).less(get(FORCING))
    const { temperature = 0 } = plan
    const { carry, ys } = scan(
      {
        carry: { ...begins, [OWN]: constant(-1, [B!], 'i32') },
        xs: { given, chosen, ...(mask && { there: mask }) },
      },
      ({ carry: { [OWN]: before, ...states }, x, t }) => {
        // Before its first step a row has no token of its own.
        const token = where(or(x.chosen!, before!.less(0)), x.given!, before!)
        const { outputs, states: after } = read(token, x.there, t, (path) => states[path]!)
        const [output] = outputs.values()
        const logits = output!.value.reshape([B!, output!.value.shape[2]!])
        const made =
          temperature === 0 ? argMax(logits) : randomCategorical(logits.div(temperature), { ...key, time: t })
        const next = Object.fromEntries(Object.keys(begins).map((path) => [path, after.get(path)!]))
        return {
          carry: { ...next, [OWN]: x.there === undefined ? made : where(x.there, made, before!) },
          y: { logits, ...(output!.mask && { there: output!.mask.reshape([B!]) }) },
        }
      },
    )
    const [name] = model.outputs.keys()
    return {
      outputs: new Map([[name!, { value: ys['logits']!, sequence: true, mask: ys['there'] }]]),
      states: new Map([...begun.states].map(([path, value]) => [path, carry[path] ?? value])),
      variables: begun.variables,
    }
  },
})

/** @throws {ArgumentError} where a step of the loop would change a variable */
function requireStill({ variables }: Forward, known: ReturnType<Model['run']>): void {
  const outside = new Set(known.flatMap((call) => [...(call?.variables.keys() ?? [])]))
  const odd = [...variables.keys()].find((path) => !outside.has(path))
  if (odd === undefined) return
  throw new ArgumentError(
    `teacherForcing: scheduled sampling runs a decoder a step at a time, of which ${odd} would see each by itself: ` +
      'leave out the layer that keeps it',
  )
}

/** One step is no loop. */
const atOnce: Fold = ({ carry, xs }, { value, mask }, _, stepFor) => {
  const there = mask?.reshape([value.shape[1]!])
  const of = (values: typeof xs, change: (value: Value, name: string) => Value) =>
    Object.fromEntries(Object.entries(values).map(([name, each]) => [name, change(each, name)]))
  const seen = (each: Value) => (there === undefined ? each : cut(each, there))
  const x = of(xs, (each) => seen(each.reshape(each.shape.slice(1))))
  const after = stepFor(value.shape[1]!)({ carry, x })
  const next = of(after.carry, (each, name) =>
    there === undefined
      ? each
      : where(there.reshape(each.shape.map((size, axis) => (axis === 0 ? size : 1))), each, carry[name]!),
  )
  return { carry: next, ys: of(after.y, (each) => seen(each).expandDims(0)) }
}
