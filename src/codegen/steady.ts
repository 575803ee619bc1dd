/**
 * A compiled graph whose sizes are numbers, for calls that must cost next to nothing: inputs and outputs are views of its
 * memory, a run makes no promise and nothing else, and what depends on constant inputs alone is computed once.
 */
import type { Graph } from '../graph/node.ts'
import { type Bindings, evaluateSize } from '../tensor/size.ts'
import { Planner } from './arena.ts'
import { type ArenaExecutable, SLACK } from './arena-executable.ts'
import { lowering } from './compile.ts'
import type { Executable, Steady } from './executable.ts'
import { prepare, singleRows } from './prepare.ts'
import type { Slot } from './program.ts'
import { instantiate } from './wasm/backend.ts'

export interface SteadyOptions {
  readonly backend: Executable['backend']
  /** Outputs that take the place of inputs: output number → input number. */
  readonly donate: ReadonlyMap<number, number>
  /** Inputs that stay as they are from run to run. */
  readonly constants: ReadonlySet<number>
}

/** Columns of a block of a single row's product: six vectors of sums, since engines spill eight. Native code has eight. */
const WASM_BLOCK = 24

const NO_SIZES: Bindings = new Map()

export async function compileSteady(graph: Graph, options: SteadyOptions): Promise<Steady> {
  const { backend, donate, constants } = options
  if (backend === 'interpret') return (await import('./interpreter.ts')).interpretSteady(graph, donate)
  const lowered = await lowering(graph, { donate })
  const prepared = (panel?: number) =>
    prepare(singleRows(lowered(panel), panel === undefined ? WASM_BLOCK : 4 * panel), constants)
  const native = backend === 'native' ? await import('./native/backend.ts') : undefined
  return placed((await native?.instantiateNative(prepared, undefined)) ?? (await instantiate(prepared())))
}

function placed({ program, engine }: ArenaExecutable): Steady {
  const arena = new Planner(program).place(NO_SIZES, engine.begin)
  engine.grow(arena.end + SLACK)
  engine.bind(arena, NO_SIZES)
  const view = ({ view: { buffer }, dtype }: Slot) => {
    const place = [
      engine.buffer(),
      arena.addresses.get(buffer)!,
      evaluateSize(buffer.elements, NO_SIZES),
    ] as const
    return dtype === 'f32' ? new Float32Array(...place) : new Int32Array(...place)
  }
  const { run, prepare: first = () => {} } = engine.here!
  const [inputs, outputs] = [program.inputs.map(view), program.outputs.map(view)]
  return { backend: engine.backend, inputs, outputs, prepare: first, run }
}
