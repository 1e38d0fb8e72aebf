// What the frozen encoder makes of the training speech: computed once into build/, and read from there
// in every step of every run.

import Foundation
import Interventions
import Notebook
import Speech
import Tensor

struct HeardSpeech: Sendable {
  /// Utterances of a file; each file is there whole or not at all.
  private static let chunk = 64
  /// What `augmentedWave` is given at most, in samples.
  private static let longestLead = 4800

  /// The file of each utterance. One is opened when it is read, and closed: what is mapped counts as
  /// memory.
  private let homes: [String: String]

  /// Opens the features, and computes those that are not there yet.
  ///
  /// Every utterance has silence in front of it, a level and, every third, noise of its own, drawn by its
  /// name, so that runs on other choices of utterances hear the same.
  ///
  /// - Parameter silence: samples of silence behind each of them
  init(
    _ repository: Repository, _ utterances: [JoinedUtterance], _ halves: JoinedHalves,
    silence: Int = 0, _ random: Random
  ) throws {
    // Another executable may hear otherwise.
    let program = try Digest(ofFile: "/proc/self/exe")
    let folder = repository.url("build/joined/heard-\("\(program)".prefix(16))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let starts = Array(stride(from: 0, to: utterances.count, by: Self.chunk))
    let chunks = starts.map { Array(utterances[$0..<min($0 + Self.chunk, utterances.count)]) }
    let paths = chunks.map { chunk in
      // By what was said, whichever utterances stand before it.
      let digest = Digest(
        ofParts: chunk.flatMap { utterance in
          [utterance.id, "\(Digest(of: utterance.samples.withUnsafeBytes { Array($0) }))"]
        } + (silence > 0 ? ["\(silence)"] : []))
      return folder.appendingPathComponent("\("\(digest)".prefix(16)).safetensors").path
    }
    for (i, path) in paths.enumerated() where !FileManager.default.fileExists(atPath: path) {
      Progress.show("encoder: \(i * Self.chunk) of \(utterances.count) utterances")
      try Self.write(chunks[i], halves, silence: silence, random.split("heard"), to: path)
    }
    Progress.show("")
    homes = Dictionary(
      uniqueKeysWithValues: zip(chunks, paths).flatMap { chunk, path in
        chunk.map { ($0.id, path) }
      })
  }

  /// What the encoder makes of an utterance, pooled, [audio tokens, width].
  func callAsFunction(_ id: String) throws -> Tensor {
    try Safetensors(path: homes[id]!).tensor(id)
  }

  private static func write(
    _ utterances: [JoinedUtterance], _ halves: JoinedHalves, silence: Int, _ random: Random,
    to path: String
  ) throws {
    let behind = [Int16](repeating: 0, count: silence)
    let heard = try mapInParallel(utterances.count) { i in
      var draws = random.split(utterances[i].id)
      let lead = draws.below(longestLead)
      return try halves.heard(
        Waveform(samples: augmentedWave(utterances[i].samples + behind, lead: lead, &draws)))
    }
    let byName = Dictionary(uniqueKeysWithValues: zip(utterances.map(\.id), heard))
    let shapes = utterances.map { ($0.id, byName[$0.id]!.shape) }
    try publish([
      Output(path) { try writeSafetensors(shapes, to: $0) { name, _ in byName[name]! } }
    ])
  }
}
