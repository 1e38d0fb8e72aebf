// Writing a checkpoint in the published Hugging Face layout.

import Foundation
import JSON
import Speech
import Tensor

/// Writes config.json, model.safetensors (BF16), tokenizer and preprocessor files.
func writeCheckpoint(
  _ parameters: Parameters, config: Qwen2AudioConfig, tokenizer: String, endToken: Int,
  to folder: URL
) throws {
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  func write(_ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: folder.appendingPathComponent(name), options: .atomic)
  }
  func write(_ name: String, _ json: JSON) throws { try write(name, Array(json.text.utf8)) }

  let stored = parameters.filter { config.parameterShapes[$0.key] != nil }
  try write("model.safetensors", safetensorsBytes(stored))
  try write("config.json", config.json(endToken: endToken))
  try write("tokenizer.json", Array(tokenizer.utf8))
  try write(
    "tokenizer_config.json",
    [
      "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>",
      "pad_token": "<|endoftext|>", "clean_up_tokenization_spaces": false,
      "model_max_length": .integer(config.maxPositions),
    ])
  let samples = 2 * config.maxSourcePositions * LogMel.hop
  try write(
    "preprocessor_config.json",
    [
      "feature_extractor_type": "WhisperFeatureExtractor",
      "processor_class": "Qwen2AudioProcessor", "feature_size": .integer(config.melBands),
      "chunk_length": .integer(samples / LogMel.rate), "hop_length": .integer(LogMel.hop),
      "n_fft": 400, "n_samples": .integer(samples),
      "nb_max_frames": .integer(2 * config.maxSourcePositions), "padding_side": "right",
      "padding_value": 0.0, "return_attention_mask": true,
      "sampling_rate": .integer(LogMel.rate),
    ])
  try write(
    "generation_config.json",
    [
      "do_sample": false, "eos_token_id": .integer(endToken), "pad_token_id": .integer(endToken),
      "max_new_tokens": 32,
    ])
}
