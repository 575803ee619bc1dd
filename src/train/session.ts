/** A compiled function whose inputs and outputs have names, some of which it updates in place. */
import { compile, type Place, type PlaceOptions, placeFor } from '../codegen/compile.ts'
import type { Executable } from '../codegen/executable.ts'
import type { Graph } from '../graph/node.ts'
import { type ParamSpec, traceWith } from '../graph/trace.ts'
import type { Value } from '../graph/value.ts'
import type { TensorData } from '../tensor/dtype.ts'
import { ArgumentError } from '../tensor/errors.ts'
import type { Bindings } from '../tensor/size.ts'

export interface Results {
  readonly outputs: Readonly<Record<string, Value>>
  /** New values of inputs, by the input's name; the next call finds them there. */
  readonly updates?: ReadonlyMap<string, Value>
}

/** A traced function before it is compiled. */
export interface NamedGraph {
  readonly graph: Graph
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Output number → input number. */
  readonly donate: ReadonlyMap<number, number>
  /** Weights mostly stay as they are from call to call. */
  readonly keeps?: boolean
}

export type NamedSpec = ParamSpec & { readonly name: string }

export function traceNamed(
  specs: readonly NamedSpec[],
  build: (input: (name: string) => Value) => Results,
): NamedGraph {
  const inputs = specs.map(({ name }) => name)
  let outputs: string[] = []
  const donate = new Map<number, number>()
  const { graph } = traceWith(
    specs,
    (values) => build((name) => values[inputs.indexOf(name)]!),
    (results) => {
      outputs = Object.keys(results.outputs)
      const updates = [...(results.updates ?? [])]
      for (const [i, [name]] of updates.entries()) donate.set(outputs.length + i, inputs.indexOf(name))
      return [...Object.values(results.outputs), ...updates.map(([, value]) => value)]
    },
  )
  return { graph, inputs, outputs, donate }
}

export class Session {
  /** What was compiled. */
  readonly named: NamedGraph
  readonly #executable: Executable

  private constructor(named: NamedGraph, executable: Executable) {
    this.named = named
    this.#executable = executable
  }

  static async open(named: NamedGraph, place: Place): Promise<Session> {
    return new Session(named, await compile(named.graph, { ...place, ...named }))
  }

  /** Where calls of these sizes run. */
  static async openFor(named: NamedGraph, options: PlaceOptions, sizes: Bindings): Promise<Session> {
    return Session.open(named, await placeFor(named.graph, options, sizes))
  }

  get backend(): Executable['backend'] {
    return this.#executable.backend
  }

  /** Inputs that are left out keep what they hold. */
  async call<N extends string>(
    bindings: Bindings,
    inputs: ReadonlyMap<string, TensorData>,
    wanted: readonly N[],
  ): Promise<Record<N, TensorData>> {
    const results = await this.#executable.call({
      bindings,
      inputs: new Map([...inputs].map(([name, data]) => [this.#place(this.named.inputs, name), data])),
      outputs: wanted.map((name) => this.#place(this.named.outputs, name)),
    })
    return Object.fromEntries(wanted.map((name, i) => [name, results[i]!])) as Record<N, TensorData>
  }

  read(input: string): Promise<TensorData> {
    return this.#executable.read(this.#place(this.named.inputs, input))
  }

  memoryBytes(bindings: Bindings): number {
    return this.#executable.memoryBytes(bindings)
  }

  #place(names: readonly string[], name: string): number {
    const place = names.indexOf(name)
    if (place < 0) throw new ArgumentError(`expected one of ${names.join(', ')}; received ${name}`)
    return place
  }
}
