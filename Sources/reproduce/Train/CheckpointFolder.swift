// Writing a checkpoint folder in the published Hugging Face layout.

import Foundation
import JSON
import Notebook
import Speech

/// Writes everything but the weights: config.json, tokenizer, preprocessor and generation files.
func writeDescription(of recipe: Recipe, to folder: URL) throws {
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  func write(_ name: String, _ text: String) throws {
    try writeAtomically(text, to: folder.appendingPathComponent(name).path)
  }
  let samples = 2 * Recipe.positions * LogMel.hop
  let end = JSON.integer(Recipe.endToken)
  try write("config.json", recipe.config.text)
  try write("tokenizer.json", Recipe.tokenizer.text)
  let tokenizer: JSON = [
    "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>",
    "pad_token": "<|endoftext|>", "clean_up_tokenization_spaces": false,
    "model_max_length": .integer(Recipe.longest),
  ]
  try write("tokenizer_config.json", tokenizer.text)
  var features: [String: JSON] = [
    "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80,
    "chunk_length": .integer(samples / LogMel.rate), "hop_length": .integer(LogMel.hop),
    "n_fft": 400, "n_samples": .integer(samples),
    "nb_max_frames": .integer(2 * Recipe.positions), "padding_side": "right",
    "padding_value": 0.0, "return_attention_mask": true, "sampling_rate": .integer(LogMel.rate),
  ]
  if recipe.architecture == "Qwen2-Audio" { features["processor_class"] = "Qwen2AudioProcessor" }
  try write("preprocessor_config.json", JSON.object(features).text)
  let generation: JSON = [
    "do_sample": false, "eos_token_id": end, "pad_token_id": end, "max_new_tokens": 32,
  ]
  try write("generation_config.json", generation.text)
}
