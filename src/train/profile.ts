/** Where the time of a call goes: each kernel, how often it runs, how long, and its share of what the machine can do. */
import { BACKENDS, type Backend } from '../codegen/compile.ts'
import type { Profiled } from '../codegen/executable.ts'
import { compileProfiled } from '../codegen/profiled.ts'
import type { Kernel, Step } from '../codegen/program.ts'
import type { Graph } from '../graph/node.ts'
import { trace } from '../graph/trace.ts'
import { requireChoice, requireInteger, requireKnown } from '../tensor/checks.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { ArgumentError } from '../tensor/errors.ts'
import {
  addSize,
  type Bindings,
  evaluateSize,
  mulSize,
  ONE,
  printShape,
  productOf,
  type Size,
  subSize,
  symbolsOf,
  ZERO,
} from '../tensor/size.ts'

export interface ProfileOptions {
  /** Values of the graph's sizes: { B: 64, T: 28 }. */
  readonly sizes: Readonly<Record<string, number>>
  /** Default: 'wasm'. */
  readonly backend?: Extract<Backend, 'native' | 'wasm'>
  /** Calls, of which the fastest is told. Default: 20. */
  readonly calls?: number
}

export interface KernelTime {
  /** 'outside loops', or the loop it stands in. */
  readonly where: string
  /** What it is: 'matmul B × 512 × 128'. */
  readonly what: string
  /** How often it runs in a call. */
  readonly times: number
  readonly ms: number
  /** Of the whole call. */
  readonly share: number
  /** Of a matrix product: 2 m n k floating-point operations, in 10⁹ a second. */
  readonly gflops?: number
}

export interface Profile {
  readonly backend: 'native' | 'wasm'
  /** The fastest call, on one thread; counting the time of kernels makes it a little slower. */
  readonly ms: number
  /** In the order in which they run. */
  readonly kernels: readonly KernelTime[]
  /** Of a product [384, 384] · [384, 384] on this backend, in the same run. */
  readonly peakGflops: number
}

/**
 * Compiles a graph so that the time of each kernel is counted, and calls it with numbers of its own.
 *
 *     const found = await profile(trainingGraph(net, options), { sizes: { B: 64, T: 28 }, backend: 'native' })
 *     console.log(profileTable(found))
 *
 * @throws {ArgumentError} for sizes that are missing, and native code where there is none
 */
export async function profile(graph: Graph, options: ProfileOptions): Promise<Profile> {
  requireKnown('profile', options, ['sizes', 'backend', 'calls'])
  const { sizes, backend = 'wasm', calls = 20 } = options
  requireChoice('profile', 'backend', backend, BACKENDS.slice(1, 3))
  requireInteger('profile', 'calls', calls, 1)
  const missing = new Set<string>()
  for (const { shape } of graph.params) for (const size of shape) symbolsOf(size, missing)
  const lacking = [...missing].filter((name) => !Number.isInteger(sizes[name]))
  if (lacking.length > 0) throw new ArgumentError(`profile: sizes lack ${lacking.join(', ')}`)
  const bindings = new Map(Object.entries(sizes))
  const profiled = await compileProfiled(graph, backend, () => performance.now())
  const { ms, times } = await fastest(profiled, graph, bindings, calls)
  return {
    backend,
    ms,
    kernels: listed(profiled.program.steps, 'outside loops', 1, bindings, times, ms),
    peakGflops: await peak(backend),
  }
}

async function fastest({ executable, takeTimes }: Profiled, graph: Graph, bindings: Bindings, calls: number) {
  const inputs = new Map<number, TensorData>()
  for (const [i, { shape, dtype }] of graph.params.entries()) {
    const count = evaluateSize(productOf(shape), bindings)
    inputs.set(i, dtype === 'f32' ? new Float32Array(count).fill(0.01) : new Int32Array(count))
  }
  let best = { ms: Number.POSITIVE_INFINITY, times: new Map() as ReadonlyMap<Kernel, number> }
  for (let call = 0; call < calls; call++) {
    takeTimes()
    const begun = performance.now()
    await executable.call({ bindings, inputs: call === 0 ? inputs : new Map(), outputs: [] })
    const ms = performance.now() - begun
    const times = takeTimes()
    if (ms < best.ms) best = { ms, times }
  }
  return best
}

/** Of the backend's own product. */
async function peak(backend: 'native' | 'wasm'): Promise<number> {
  const n = 384
  const graph = trace([{ shape: [n, n] }, { shape: [n, n] }], (a, b) => [a!.matmul(b!)])
  const profiled = await compileProfiled(graph, backend, () => performance.now())
  const { times } = await fastest(profiled, graph, new Map(), 20)
  const ms = Math.max(...[...times].map(([kernel, each]) => (kernel.kind === 'matmul' ? each : 0)))
  return (2 * n * n * n) / ms / 1e6
}

function listed(
  steps: readonly Step[],
  where: string,
  times: number,
  bindings: Bindings,
  taken: ReadonlyMap<Kernel, number>,
  all: number,
): KernelTime[] {
  return steps.flatMap((step) => {
    if (step.kind === 'loop') {
      const { steps: count, reverse } = step.loop
      const name = `a step ${reverse ? 'back' : 'forward'} over ${count.key}`
      return listed(step.body, name, times * evaluateSize(count, bindings), bindings, taken, all)
    }
    const { kernel } = step
    const ms = taken.get(kernel) ?? 0
    const about = { where, what: `${kernel.kind} ${sizesOf(kernel, bindings)}`, times, ms, share: ms / all }
    if (kernel.kind !== 'matmul') return [about]
    const flops = 2 * times * evaluateSize(productOf([kernel.m, kernel.n, lengthOf(kernel)]), bindings)
    return [{ ...about, gflops: flops / ms / 1e6 }]
  })
}

/** Products summed for each element. */
function lengthOf({ k, plus, unless = ZERO }: Extract<Kernel, { kind: 'matmul' }>): Size {
  return addSize(mulSize(k, subSize(ONE, unless)), plus === undefined ? ZERO : mulSize(plus.k, plus.here))
}

function sizesOf(kernel: Kernel, bindings: Bindings): string {
  switch (kernel.kind) {
    case 'map':
    case 'reduce':
      return printShape(kernel.shape)
    case 'pack':
      return printShape([kernel.k, kernel.n])
    case 'matmul':
      return [kernel.m, kernel.n, kernel.k]
        .map(({ key }) => key)
        .join(' × ')
        .concat(kernel.plus && evaluateSize(kernel.plus.here, bindings) ? ` + ${kernel.plus.k.key}` : '')
    case 'row':
      return printShape([kernel.n, kernel.k])
    case 'argsort':
      return printShape([kernel.rows, kernel.n])
    case 'firsts':
      return printShape([kernel.n])
    default:
      return printShape([kernel.n, kernel.d])
  }
}

/** A profile in lines: what takes less than a hundredth of the time is summed up. */
export function profileTable({ backend, ms, kernels, peakGflops }: Profile): string {
  const large = kernels.filter(({ share }) => share >= 0.01)
  const rest = kernels.filter(({ share }) => share < 0.01)
  const restMs = rest.reduce((sum, each) => sum + each.ms, 0)
  const width = Math.max(...large.map(({ what }) => what.length))
  const line = ({ what, where, times, ms: own, share, gflops }: KernelTime) =>
    `  ${own.toFixed(3).padStart(9)} ms ${(100 * share).toFixed(1).padStart(5)}%  ${what.padEnd(width)}  ` +
    `${times} × ${where}${gflops === undefined ? '' : `, ${gflops.toFixed(0)} GFLOP/s, ${((100 * gflops) / peakGflops).toFixed(0)}% of the peak`}`
  return [
    `${backend}, one thread: ${ms.toFixed(3)} ms a call; peak of a product: ${peakGflops.toFixed(0)} GFLOP/s`,
    ...large.map(line),
    `  ${restMs.toFixed(3).padStart(9)} ms ${((100 * restMs) / ms).toFixed(1).padStart(5)}%  ${rest.length} others`,
    ...(large.some(({ what }) => what.includes(' + '))
      ? ['  + after a length: that of x · U, which is part of the same sum instead of a product of its own']
      : []),
  ].join('\n')
}
