// A set of utterances on disk: a manifest of rows, and a cache of what they sound like.

import Corpus
import Foundation
import JSON

struct SpokenSet {
  let repository: Repository
  /// Its folder in build, and its manifest without ".json".
  let title: String
  let name: String
  /// What the sentences are and are for.
  let about: String

  private var folder: URL { repository.url("build/\(title)") }

  /// One voice's rows and the digest of its cache.
  struct Part {
    let voice: Voice
    var rows: [Row]
    var sha256: String
  }

  /// Speaks the planned rows and writes the manifest.
  func write(_ lists: [(voice: Voice, rows: [Row])], check: ([Part]) throws -> Void) throws {
    try SpeakAll(folder: folder, title: title).run(lists)
    let parts = try lists.map { try spoken($0.voice, $0.rows) }
    try check(parts)
    try repository.write(manifest(parts), manifest: "\(title).json")
  }

  /// Speaks what is not there yet and says what differs from the manifest.
  func compare(check: ([Part]) throws -> Void) throws -> [String] {
    let parts = try readManifest()
    try check(parts)
    let missing = parts.filter { cache($0.voice).digest != $0.sha256 }
    try SpeakAll(folder: folder, title: title).run(missing.map { ($0.voice, $0.rows) })
    return try missing.flatMap { part -> [String] in
      let now = try spoken(part.voice, part.rows)
      guard now.sha256 != part.sha256 else { return [] }
      let rows = zip(now.rows, part.rows).filter { $0.digest != $1.digest }
      return ["\(title) \(part.voice): \(rows.count) of \(part.rows.count) utterances differ"]
        + rows.prefix(5).map { "\(title) \(part.voice): \"\($0.1.text)\" (\($0.1.mode)) differs" }
    }
  }

  func cache(_ voice: Voice) -> VoiceCache { VoiceCache(name: "\(voice)", folder: folder) }

  /// The manifest's rows, voice by voice.
  func readManifest() throws -> [Part] {
    let name = "data-manifests/\(title).json"
    return try repository.manifest("\(title).json").array("voices").map { entry in
      guard let voice = Voice(rawValue: try entry.string("voice")) else {
        throw JSONError("\(name): \"voice\" should be one of \(Voice.names)")
      }
      let rows = try entry.array("utterances").map { try Row($0, name: name) }
      return Part(voice: voice, rows: rows, sha256: try entry.string("audioDigest"))
    }
  }

  /// What a voice has said, in the order of its rows; an error where the cache is absent or is not
  /// what the manifest says.
  func read(_ part: Part) throws -> [(row: Row, spoken: Spoken)] {
    let spoken = try cache(part.voice).read()
    guard cache(part.voice).digest == part.sha256, spoken.count == part.rows.count else {
      throw CorpusError(
        "build/\(title)/\(part.voice) is not what data-manifests/\(title).json says: "
          + "run `reproduce corpus`")
    }
    return zip(part.rows, spoken).map { ($0, $1) }
  }

  /// The rows with what came out, from the cache.
  private func spoken(_ voice: Voice, _ rows: [Row]) throws -> Part {
    let utterances = try cache(voice).read()
    guard utterances.count == rows.count, let digest = cache(voice).digest else {
      throw CorpusError("build/\(title)/\(voice): \(utterances.count) of \(rows.count) utterances")
    }
    let filled = rows.enumerated().map { i, row in
      var row = row
      row.samples = utterances[i].samples.count
      row.digest = VoiceCache.digest(utterances[i], phones: row.request(voice, index: i).phones)
      return row
    }
    return Part(voice: voice, rows: filled, sha256: digest)
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
      "name": .string(name),
      "description": .string(
        "\(about); the audio is made again from "
          + "these rows by `reproduce corpus`, into build/\(title). audioDigest is the SHA-256 of a "
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
