// What one voice has said: `NAME.samples` (16-bit little-endian samples, end to end) and
// `NAME.labels` (32-bit little-endian numbers: for every utterance its samples and its phones,
// then number and end of each phone; no phones where the engine does not tell).

import Foundation
import JSON
import Notebook

struct VoiceCache {
  let name: String
  let folder: URL

  var samplesFile: URL { folder.appendingPathComponent("\(name).samples") }
  var labelsFile: URL { folder.appendingPathComponent("\(name).labels") }

  /// The labels of one utterance as they are stored.
  static func labels(_ spoken: Spoken, phones: [String]) -> [Int32] {
    guard let ends = spoken.ends else { return [Int32(spoken.samples.count), 0] }
    return [Int32(spoken.samples.count), Int32(ends.count)]
      + zip(phones, ends).flatMap { [Int32(Phones.number[$0]!), Int32($1)] }
  }

  /// The first eight digits of the SHA-256 of labels and samples.
  static func digest(_ spoken: Spoken, phones: [String]) -> String {
    let labels = labels(spoken, phones: phones).withUnsafeBytes { Array($0) }
    let samples = spoken.samples.withUnsafeBytes { Array($0) }
    return String("\(Digest(of: labels + samples))".prefix(8))
  }

  /// Both files or none.
  func write(_ utterances: [(spoken: Spoken, phones: [String])]) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var samples: [UInt8] = []
    var labels: [UInt8] = []
    for (spoken, phones) in utterances {
      spoken.samples.withUnsafeBytes { samples.append(contentsOf: $0) }
      VoiceCache.labels(spoken, phones: phones).withUnsafeBytes { labels.append(contentsOf: $0) }
    }
    try publish([
      Output(samplesFile.path, bytes: samples), Output(labelsFile.path, bytes: labels),
    ])
  }

  /// Every utterance in the order of the rows.
  func read() throws -> [Spoken] {
    guard let sampleData = FileManager.default.contents(atPath: samplesFile.path),
      let labelData = FileManager.default.contents(atPath: labelsFile.path)
    else {
      throw CorpusError("\(samplesFile.relativePath) is missing: run `reproduce corpus`")
    }
    let samples = sampleData.withUnsafeBytes { Array($0.bindMemory(to: Int16.self)) }
    let labels = labelData.withUnsafeBytes { Array($0.bindMemory(to: Int32.self)) }
    var spoken: [Spoken] = []
    var (at, from) = (0, 0)
    while at < labels.count {
      guard at + 2 <= labels.count, labels[at] >= 0, labels[at + 1] >= 0,
        from + Int(labels[at]) <= samples.count, at + 2 + 2 * Int(labels[at + 1]) <= labels.count
      else {
        throw CorpusError(
          "\(labelsFile.relativePath) is damaged: delete it and run `reproduce corpus`")
      }
      let (count, phones) = (Int(labels[at]), Int(labels[at + 1]))
      let ends = (0..<phones).map { Int(labels[at + 3 + 2 * $0]) }
      spoken.append(
        Spoken(samples: Array(samples[from..<from + count]), ends: phones > 0 ? ends : nil))
      from += count
      at += 2 + 2 * phones
    }
    return spoken
  }

  /// SHA-256 of both files, or nil where one is missing.
  var digest: String? {
    guard let samples = FileManager.default.contents(atPath: samplesFile.path),
      let labels = FileManager.default.contents(atPath: labelsFile.path)
    else { return nil }
    return "\(Digest(of: labels + samples))"
  }
}
