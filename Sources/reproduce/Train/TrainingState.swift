// The state of an interrupted training run: parameters and moments, in one file that is written
// aside and renamed.

import Foundation
import Notebook
import Speech
import Tensor

struct TrainingState {
  struct Saved {
    let stage: Int
    let step: Int
    let moments: [[Float]]
    /// What the run has said of itself.
    let log: [String]
  }

  private let file: URL
  private let key: String

  /// - Parameter key: what the run depends on; the state of another run is ignored.
  init(folder: URL, name: String, key: String) {
    file = folder.appendingPathComponent("\(name)-training-state.plist")
    self.key = key
  }

  private struct Record: Codable {
    let key: String
    let stage: Int
    let step: Int
    let parameters: [String: Data]
    let moments: [Data]
    var log: [String]?
  }

  func write(
    stage: Int, step: Int, names: [String], parameters: Parameters, optimiser: AdamW,
    log: [String] = []
  ) throws {
    let record = Record(
      key: key, stage: stage, step: step,
      parameters: parameters.mapValues { data($0.numbers) }, moments: optimiser.moments.map(data),
      log: log)
    let encoder = PropertyListEncoder()
    encoder.outputFormat = .binary
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try writeAtomically(Array(encoder.encode(record)), to: file.path)
  }

  /// Fills the parameters of an interrupted run, if there is one of the same key.
  func read(into parameters: inout Parameters) throws -> Saved? {
    guard let bytes = try? Data(contentsOf: file),
      let record = try? PropertyListDecoder().decode(Record.self, from: bytes), record.key == key
    else { return nil }
    guard record.parameters.keys.allSatisfy({ parameters[$0] != nil }) else { return nil }
    for (name, bytes) in record.parameters {
      parameters[name] = Tensor(parameters[name]!.shape, numbers(bytes))
    }
    return Saved(
      stage: record.stage, step: record.step, moments: record.moments.map(numbers),
      log: record.log ?? [])
  }

  func remove() { try? FileManager.default.removeItem(at: file) }

  private func data(_ numbers: [Float]) -> Data { numbers.withUnsafeBytes { Data($0) } }

  private func numbers(_ data: Data) -> [Float] {
    data.withUnsafeBytes { raw in
      [Float](unsafeUninitializedCapacity: raw.count / 4) { out, count in
        raw.copyBytes(to: UnsafeMutableRawBufferPointer(out))
        count = raw.count / 4
      }
    }
  }
}
