// The training set on disk: a manifest of rows, and a cache of what they sound like.

import Corpus
import Foundation
import JSON

struct TrainingSet {
  private let repository: Repository
  private var folder: URL { repository.url("build/training") }

  init(_ repository: Repository) { self.repository = repository }

  /// One voice's rows and the digest of its cache.
  struct Part {
    let voice: Voice
    var rows: [Row]
    var sha256: String
  }

  /// Speaks what is not there yet and writes the manifest, or says what differs from it.
  func make(write: Bool) throws -> [String] {
    let evaluation = Set(EvaluationPlan.pairs().flatMap { [$0.clean.text, $0.corrupt.text] })
    if write {
      let lists = TrainingPlan.rows(excluding: evaluation)
      try SpeakAll(folder: folder, title: "training").run(lists)
      let parts = try lists.map { try spoken($0.voice, $0.rows) }
      try check(parts, evaluation)
      try repository.write(manifest(parts), manifest: "training.json")
      return []
    }
    let parts = try readManifest()
    try check(parts, evaluation)
    let missing = parts.filter { cache($0.voice).digest != $0.sha256 }
    try SpeakAll(folder: folder, title: "training").run(missing.map { ($0.voice, $0.rows) })
    return try missing.flatMap { part -> [String] in
      let now = try spoken(part.voice, part.rows)
      guard now.sha256 != part.sha256 else { return [] }
      let rows = zip(now.rows, part.rows).filter { $0.digest != $1.digest }
      return ["training \(part.voice): \(rows.count) of \(part.rows.count) utterances differ"]
        + rows.prefix(5).map { "training \(part.voice): \"\($0.1.text)\" (\($0.1.mode)) differs" }
    }
  }

  func cache(_ voice: Voice) -> VoiceCache { VoiceCache(name: "\(voice)", folder: folder) }

  /// The manifest's rows, voice by voice.
  func readManifest() throws -> [Part] {
    let name = "data-manifests/training.json"
    return try repository.manifest("training.json").array("voices").map { entry in
      guard let voice = Voice(rawValue: try entry.string("voice")) else {
        throw JSONError("\(name): \"voice\" should be one of \(Voice.names)")
      }
      let rows = try entry.array("utterances").map { try Row($0, name: name) }
      return Part(voice: voice, rows: rows, sha256: try entry.string("audioDigest"))
    }
  }

  /// The rows with what came out, from the cache.
  private func spoken(_ voice: Voice, _ rows: [Row]) throws -> Part {
    let utterances = try cache(voice).read()
    guard utterances.count == rows.count, let digest = cache(voice).digest else {
      throw CorpusError("build/training/\(voice): \(utterances.count) of \(rows.count) utterances")
    }
    let filled = zip(rows, utterances).map { row, spoken in
      var row = row
      row.samples = spoken.samples.count
      let phones = Request.free(words: row.words, rate: 1, pitch: 1).phones
      row.digest = VoiceCache.digest(spoken, phones: phones)
      return row
    }
    return Part(voice: voice, rows: filled, sha256: digest)
  }

  /// No training text is an evaluation sentence or held out.
  private func check(_ parts: [Part], _ evaluation: Set<String>) throws {
    for part in parts {
      for row in part.rows where evaluation.contains(row.text) {
        throw CorpusError("training.json: \(part.voice) says the evaluation text \"\(row.text)\"")
      }
      for row in part.rows where Sentence(text: row.text)?.isHeldOut != false {
        throw CorpusError("training.json: \(part.voice) says the held-out text \"\(row.text)\"")
      }
    }
  }

  private func manifest(_ parts: [Part]) -> JSON {
    let voices = parts.map { part -> JSON in
      let own: [String: JSON] = [
        "voice": .string("\(part.voice)"), "audioDigest": .string(part.sha256),
        "utterances": .array(part.rows.map(\.json)),
      ]
      return .object(own.merging(Repository.provenance(part.voice)) { $1 })
    }
    return [
      "@context": ["@vocab": "https://schema.org/", "cr": "http://mlcommons.org/croissant/"],
      "@type": "Dataset",
      "conformsTo": "http://mlcommons.org/croissant/1.0",
      "name": "spoken-minimal-pairs-training",
      "description": .string(
        "Synthetic English sentences to train a small speech LM on; the audio is made again from "
          + "these rows by `reproduce corpus`, into build/training. audioDigest is the SHA-256 of a "
          + "voice's labels and samples files, one after the other; a row's digest begins that of "
          + "its own."),
      "license": .string(
        "Free to use, copy, modify and redistribute. espeak-ng, which is under the GPL, is only "
          + "run as a program."),
      "sampleRate": 16000,
      "columns": .array(Row.columns),
      "voices": .array(voices),
    ]
  }
}
