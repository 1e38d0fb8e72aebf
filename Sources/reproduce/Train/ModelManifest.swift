// data-manifests/models.json: the files of the shipped checkpoint, and its model card.

import Foundation
import JSON
import Notebook
import Speech

/// Lists every file of a checkpoint folder in data-manifests/models.json.
func writeModelManifest(_ folder: String, _ repository: Repository) throws {
  let names = try FileManager.default.contentsOfDirectory(
    atPath: repository.url(folder).path
  ).filter { !$0.hasPrefix(".") }.sorted()
  let files = try names.map { name -> JSON in
    let path = repository.url("\(folder)/\(name)").path
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path)).count
    return [
      "file": .string("\(folder)/\(name)"), "bytes": .integer(bytes),
      "sha256": .string("\(try Digest(ofFile: path))"),
    ]
  }
  try repository.write(
    [
      "@context": ["@vocab": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"],
      "@type": "Dataset", "conformsTo": "http://mlcommons.org/croissant/1.0",
      "name": "small-speech-language-models",
      "description": .string(
        "The checkpoint that `make models` trains from data-manifests/training.json. It stands in "
          + "for published models of its architecture, which cannot be shipped here."),
      "license": "MIT", "distribution": .array(files),
    ], manifest: "models.json")
}

/// The card that says what the checkpoint is, and what it is not.
func modelCard(_ config: Qwen2AudioConfig, parameters: Int, utterances: Int, hours: Double)
  -> String
{
  """
  ---
  license: mit
  library_name: transformers
  pipeline_tag: automatic-speech-recognition
  language: en
  ---

  # Qwen2-Audio, small

  A model of the Qwen2-Audio architecture with \(parameters) parameters: an encoder of \
  \(config.encoderLayers) layers and width \(config.encoderWidth), average pooling and a linear \
  connector, and a language model of \(config.layers) layers and width \(config.width). It was \
  trained from nothing by `make models` in the repository of "Causal Pathways from Waveforms to \
  Words". It shares no weights with the published Qwen2-Audio and stands in for it where that \
  cannot be run.

  **What it does.** It hears sentences of the four frames in `data-manifests/training.json`, made \
  of \(Lexicon.words.count) words, and answers the prompt behind the audio: `transcribe:`, or a \
  question such as `first thing:`, `which colour:` or `last number:`. It knows nothing else. Audio \
  is 16 kHz and at most 3 s long. The template is `<|audio_bos|><|AUDIO|><|audio_eos|>` and the \
  prompt.

  **What it was trained on.** \(utterances) synthetic utterances (\
  \(String(format: "%.1f", hours)) hours) of five voices of flite and festival and thirteen \
  variants of espeak-ng. No sentence of the evaluation suite was among them; all words were.

  **How.** Language model on pseudo-audio, encoder on phones and words, then all together. The \
  encoder's auxiliary losses tie the phone to its own frames, so part of what makes a causal map of \
  this model local in time was put there by training.

  **What it is not.** A speech recogniser. It was made to be explained.

  Accuracies are in the ledger, `paper/numbers.tsv`, and printed by `reproduce evaluate`.

  """
}
