import { ECHO_STATE, type EchoStateOptions, echoStateCell } from '../cells/echo-state.ts'
import { requireKnown, requireUnits } from '../tensor/checks.ts'
import { dense } from './dense.ts'
import type { Model } from './model.ts'
import { recurrent } from './recurrent.ts'
import { sequential } from './sequential.ts'

export interface EchoStateNetworkOptions extends EchoStateOptions {
  /** O, the number of outputs. */
  readonly outputs: number
  /** An output for every step, [B, T, O], or for the last one, [B, O]. Default: true. */
  readonly returnSequences?: boolean
}

/**
 * An echo state network (Jaeger 2001): a reservoir, whose equation stands at {@link echoStateCell}, and its readout
 * y = h V + c as a dense layer. A model as any other; `fitReadout` solves V and c in closed form, `freeRun` lets it go on
 * from its own output.
 *
 *     const net = echoState({ units: 500, outputs: 1, spectralRadius: 1.2 })
 *     await fitReadout(net, inputs, targets, { ridge: 1e-6, washout: 100 })
 *
 * @throws {ArgumentError} for options outside their range
 */
export function echoState(options: EchoStateNetworkOptions): Model {
  requireKnown('echoState', options, [...Object.keys(ECHO_STATE), 'outputs', 'returnSequences'])
  requireUnits('echoState', options.outputs, 'outputs')
  const { outputs, returnSequences = true, ...reservoir } = options
  return sequential([recurrent(echoStateCell(reservoir), { returnSequences }), dense({ units: outputs })])
}
