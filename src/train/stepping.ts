/** A model that reads on from where it stands: what it is given next follows on what it was given before. */
import type { Backend } from '../codegen/compile.ts'
import type { Model } from '../layers/model.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { fedBack, finalOutput, freshRows, freshStates, weightInputs } from './leaves.ts'
import { forwardSession } from './sessions.ts'

/** Reads `steps` steps of every row, [B, T, …], and gives the model's output for them. */
export type Reader = (x: TensorData, steps: number) => Promise<TensorData>

export async function reader(model: Model, rows: number, backend?: Backend): Promise<Reader> {
  const sizesOf = (steps: number) =>
    new Map([
      ['B', rows],
      ['T', steps],
    ])
  const paths = [...model.built.states.keys()]
  const session = await forwardSession(
    model,
    { training: false, carry: paths },
    { backend, sizes: sizesOf(1) },
  )
  const wanted = ['output', ...paths.map(finalOutput)]
  const weights = weightInputs(model)
  let states: Iterable<readonly [string, TensorData]> = freshStates(model, rows)
  let fresh = true
  return async (x, steps) => {
    const inputs = new Map([['x', x], ...freshRows(paths, rows, fresh), ...states, ...weights])
    const results = await session.call(sizesOf(steps), inputs, wanted)
    states = fedBack(paths, results)
    fresh = false
    return results['output']!
  }
}
