// data-manifests/models.json: the files of the shipped checkpoints, and their model cards.

import Foundation
import JSON
import Notebook
import Speech

/// Lists every file of every checkpoint folder in data-manifests/models.json.
func writeModelManifest(_ repository: Repository) throws {
  let present = Recipe.all.map(\.folder).filter {
    FileManager.default.fileExists(atPath: repository.url("\($0)/model.safetensors").path)
  }
  let files = try present.flatMap { folder in
    try FileManager.default.contentsOfDirectory(atPath: repository.url(folder).path)
      .filter { !$0.hasPrefix(".") }.sorted().map { "\(folder)/\($0)" }
  }
  let entries = try files.map { file -> JSON in
    let path = repository.url(file).path
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path)).count
    return [
      "file": .string(file), "bytes": .integer(bytes),
      "sha256": .string("\(try Digest(ofFile: path))"),
    ]
  }
  try repository.write(
    [
      "@context": ["@vocab": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"],
      "@type": "Dataset", "conformsTo": "http://mlcommons.org/croissant/1.0",
      "name": "small-speech-language-models",
      "description": .string(
        "The checkpoints that `make models` trains from data-manifests/training.json and the "
          + "training recordings of data-manifests/fsdd.json. They stand in for published models "
          + "of their architectures, which cannot be shipped here."),
      "license": "MIT", "distribution": .array(entries),
    ], manifest: "models.json")
}

/// The card that says what a checkpoint is, and what it is not.
func modelCard(
  _ recipe: Recipe, _ config: any AudioLanguageConfig, _ utterances: [TrainingUtterance]
) -> String {
  let parameters = config.parameterShapes.values.reduce(0) { $0 + $1.reduce(1, *) }
  let hours = Double(utterances.reduce(0) { $0 + $1.samples.count }) / Double(LogMel.rate) / 3600
  let speakers = Set(utterances.map(\.manner.speaker)).sorted()
  let before =
    switch recipe.auxiliary {
    case .frames:
      "The encoder's and the connector's auxiliary losses tie phones and words to their own frames, "
        + "so part of what makes a causal map of this model local in time was put there by training."
    case .connectionist:
      "The auxiliary losses name phones and words in order and say nothing of when (CTC), unlike "
        + "those of `qwen2-audio-small`: what the two maps do not share was put there by frame labels."
    case .alignment:
      "The connector's own CTC head is trained throughout, since its classes decide which frames "
        + "are kept."
    case .nothing: "Nothing but its answers was ever judged."
    }
  let start = recipe.warmStart.map { "It began with encoder and language model of `\($0)`. " } ?? ""
  return """
    ---
    license: mit
    pipeline_tag: automatic-speech-recognition
    language: [en, es]
    ---

    # \(recipe.architecture), small (\(recipe.name))

    A model of the \(recipe.architecture) architecture with \(parameters) parameters: an encoder of \
    \(config.encoder.layers) layers and width \(config.encoder.width), \(recipe.connector), and a \
    language model of \(config.lm.layers) layers and width \(config.lm.width). It was trained by \
    `make models` in the repository of "Causal Pathways from Waveforms to Words". It shares no \
    weights with the published \(recipe.architecture) and stands in for it where that cannot be run.

    **What it does.** It hears sentences of the frames in `data-manifests/training.json`, made of \
    \(Lexicon.words.count) words, and does what the prompt behind the audio asks: `transcribe:`, \
    `translate:` (into Spanish), or a short answer such as `first thing:`, `what colour is the van:`, \
    `which is red:`, `how many van:`, `next number:`, `who is speaking:`, `asking or telling:`, \
    `fast or slow:`. It knows nothing else. Audio is 16 kHz and at most 3 s long.

    **What it was trained on.** \(utterances.count) utterances \
    (\(String(format: "%.1f", hours)) hours) of \(speakers.joined(separator: ", ")): voices of flite \
    and festival, variants of espeak-ng (`robot`), and strings of recorded digits by the people whose \
    first names are listed. No evaluation sentence was among them; all words were.

    **How.** \(start)\(before)

    **What it is not.** A speech recogniser. It was made to be explained.

    Accuracies are in `paper/accuracies.tsv`, which `make evaluate` writes.

    """
}
