/** The public face of `recurra/io`: models and tensors as bytes. What reads and writes files in Node stands apart. */
export { type LoadedModel, loadModel, type SaveOptions, saveModel } from './model.ts'
export { readSafetensors, type Safetensors, writeSafetensors } from './safetensors.ts'
