// One voice in one process: the synthesisers keep their state in the process.

import ArgumentParser
import Corpus
import Foundation
import JSON
import Notebook

/// Speaks a list of rows; `reproduce corpus` starts it, once a voice.
struct SpeakVoice: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "speak-voice", abstract: "Speaks a list of rows with one voice.",
    shouldDisplay: false)

  @Argument(help: "The voice.") var voice: String
  @Option(help: "JSON array of rows.") var rows: String
  @Option(help: "Where the cache goes.") var into: String

  /// Rows spoken at a time.
  private var chunk: Int { 70 }

  func run() throws {
    guard let voice = Voice(rawValue: voice) else {
      throw CorpusError("no voice \"\(voice)\"; there are \(Voice.names)")
    }
    guard let data = FileManager.default.contents(atPath: rows) else {
      throw CorpusError("\(rows): cannot be read")
    }
    let list = try JSON(parsing: [UInt8](data), name: rows).elements ?? []
    let parsed = try list.map { try Row($0, name: rows) }
    let folder = URL(fileURLWithPath: into, isDirectory: true)
    let work = folder.appendingPathComponent("\(voice).work", isDirectory: true)
    try? FileManager.default.removeItem(at: work)
    try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: work) }

    let speak = try speaker(voice, work: work)
    var done: [(spoken: Spoken, phones: [String])] = []
    for start in stride(from: 0, to: parsed.count, by: chunk) {
      let indices = start..<min(start + chunk, parsed.count)
      let requests = indices.map { parsed[$0].request(voice, index: $0) }
      let spoken = try speak(indices.map { parsed[$0] }, requests)
      for ((row, request), raw) in zip(zip(parsed[indices], requests), spoken) {
        guard raw.samples.contains(where: { $0 != 0 }) else {
          throw CorpusError("\(voice) was silent at \"\(row.text)\"")
        }
        let trimmed = raw.trimmed()
        // The two members of an evaluation pair share a gain, which is set later.
        var level = row.mode == "even" ? trimmed : trimmed.scaled(by: trimmed.gain)
        // Phones that were not asked for have no numbers.
        if request.phones.isEmpty { level.ends = nil }
        done.append((level, request.phones))
      }
      // The size of what was written is the progress.
      try FileHandle.standardOutput.write(contentsOf: Data(repeating: 46, count: indices.count))
    }
    try VoiceCache(name: "\(voice)", folder: folder).write(done)
  }

  private func speaker(_ voice: Voice, work: URL) throws -> ([Row], [Request]) throws -> [Spoken] {
    switch voice {
    case .kal, .ked:
      let festival = try Festival(voice, folder: work)
      return { _, requests in try festival.speak(requests) }
    case .awb, .rms, .slt:
      let flite = try Flite(voice)
      return { _, requests in try requests.map(flite.speak) }
    case .espeak:
      let espeak = try Espeak(folder: work)
      return { rows, _ in try espeak.speak(rows) }
    }
  }
}
