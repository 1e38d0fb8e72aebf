// Whether a folder holds a published model: the very files, or the same weights in another form.

import Foundation
import Interventions
import Notebook
import Speech

extension PublishedModel {
  /// What is wrong with a folder, or nil where it holds the model.
  func fault(in folder: String) -> String? {
    let faults = files.lazy.compactMap { fault(of: $0, in: folder) }
    guard let first = faults.first, let official else { return faults.first }
    // A folder that has model.bin alone is compared by the digest of the tensors too: other converters
    // write another config.json beside the same weights.
    guard
      ["config.json", "tokenizer.json"].allSatisfy({
        FileManager.default.fileExists(atPath: "\(folder)/\($0)")
      })
    else { return first }
    do { return try official.fault(in: folder) } catch { return "\(error)" }
  }

  private func fault(of file: File, in folder: String) -> String? {
    let path = "\(folder)/\(file.name)"
    let attributes = try? FileManager.default.attributesOfItem(
      atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
    guard let bytes = (attributes?[.size] as? NSNumber)?.intValue else { return "\(path): missing" }
    guard bytes == file.bytes else { return "\(path): \(bytes) bytes, not \(file.bytes)" }
    do {
      let digest = try Digest(ofFile: path).description
      return digest == file.sha256 ? nil : "\(path): SHA-256 \(digest), not \(file.sha256)"
    } catch { return "\(error)" }
  }
}

extension PublishedModel.Official {
  /// What is wrong with a Whisper folder, in whichever form it keeps the weights.
  fileprivate func fault(in folder: String) throws -> String? {
    let config = try openConfig(folder: folder)
    let digest = try Checkpoint(folder: folder).canonicalDigest(config).description
    guard digest == canonical else {
      return "\(folder): its weights have the canonical digest \(digest), not \(canonical)"
    }
    let tokenizer = try Tokenizer(folder: folder)
    guard try tokenizer.encode(text, addingSpecialTokens: false) == tokens else {
      return "\(folder): its tokenizer reads \"\(text)\" otherwise than the model's own"
    }
    let generation = try GenerationConfig(folder: folder)
    guard generation.suppressed == suppressed, generation.suppressedFirst == suppressedFirst,
      generation.endTokens == [endToken]
    else {
      return "\(folder): it suppresses other tokens than the model's own, or ends with others"
    }
    return nil
  }
}
