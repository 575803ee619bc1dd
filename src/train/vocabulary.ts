import type { NamedBatch } from '../data/batches.ts'
import type { Model } from '../layers/model.ts'

/** Checks tokens, where the model looks them up, against its vocabularies. */
export async function requireTokens(
  model: Model,
  batch: Omit<NamedBatch, 'targets' | 'reset'>,
): Promise<void> {
  if (!model.calls.some(({ layer }) => layer.vocabulary)) return
  const { checkTokens } = await import('./tokens.ts')
  checkTokens(model, batch)
}
