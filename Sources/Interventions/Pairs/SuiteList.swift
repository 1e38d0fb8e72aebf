// The pairs of this package's own suite as pairs of recordings, so that `tap` reads its manifests as it
// reads a list.

import Corpus
import Foundation
import Speech

extension RecordedPair {
  /// The pairs of a manifest whose members say different words in recordings of their own.
  ///
  /// - Throws: where the manifest is damaged, a recording is not there, or no pair is of that kind.
  static func list(manifest path: String, _ task: SpokenTask) throws -> [RecordedPair] {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().deletingLastPathComponent()
    let pairs = try PairSuite(manifest: path).pairs.filter { $0.factor.changesText }.compactMap {
      try RecordedPair($0, task, below: folder.relativePath)
    }
    guard !pairs.isEmpty else {
      throw CellError(
        "\(path): has no pair of two recordings with answers of their own; make a list with tap pairs"
      )
    }
    return pairs
  }

  /// Nil where a member's sound is made when it is needed, and where the members are no pair under the
  /// task: their right texts are the same, or one is how the other begins.
  private init?(_ pair: MinimalPair, _ task: SpokenTask, below folder: String) throws {
    guard let texts = task.texts(of: pair) else { return nil }
    if task != .answer,
      texts.clean.hasPrefix(texts.corrupt) || texts.corrupt.hasPrefix(texts.clean)
    {
      return nil
    }
    func file(_ utterance: Utterance) throws -> String? {
      guard case .recording(let file, 0, 0) = utterance.sound else { return nil }
      // A manifest lies one folder below the package, which is mostly the current one.
      guard let found = [file, "\(folder)/\(file)"].first(where: FileManager.default.fileExists)
      else { throw CellError("pair \(pair.id): there is no file \(file)") }
      return found
    }
    guard let clean = try file(pair.clean), let corrupt = try file(pair.corrupt) else { return nil }
    (id, group, split, notes) = (pair.id, pair.group, pair.split, [:])
    (self.clean, self.corrupt, prompt) = (clean, corrupt, texts.prompt)
    (answer, foil) = (texts.clean, texts.corrupt)
    func segments(_ utterance: Utterance) -> [Segment] {
      utterance.phones.map { Segment($0.label, $0.start, $0.end) }
    }
    for (name, member) in [("clean", pair.clean), ("corrupt", pair.corrupt)] {
      do { try segments(member).checkOrder() } catch {
        throw CellError("pair \(pair.id), \(name): \(error)")
      }
    }
    self.segments =
      pair.clean.phones.count == pair.corrupt.phones.count
      ? (segments(pair.clean), segments(pair.corrupt)) : nil
  }
}
