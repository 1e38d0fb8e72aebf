// What libFuzzer and the tests call: a reader of files takes any bytes, and either gives a value or
// throws an error of the project's own.

import Foundation
import JSON
import Speech

/// A reader of one kind of file under its name, which is also that of its corpus.
public struct Reader: Sendable {
  public let name: String
  let read: @Sendable ([UInt8]) throws -> Void

  /// Every reader that is fuzzed.
  public static let all = [
    Reader(name: "json", read: readJSONText),
    Reader(name: "safetensors", read: readSafetensors),
    Reader(name: "torch", read: readTorchArchive),
    Reader(name: "pickle", read: readPickle),
    Reader(name: "gguf", read: readGGUF),
    Reader(name: "ctranslate2", read: readCTranslate2),
    Reader(name: "tokenizer", read: readTokenizerJSON),
    Reader(name: "sentencepiece", read: readSentencePiece),
    Reader(name: "text", read: readText),
    Reader(name: "audio", read: readAudio),
    Reader(name: "folder", read: readFolder),
  ]

  /// Reads the bytes. A crash is a trap; so is an error that is not the project's own or says
  /// nothing, or a value that breaks one of the reader's promises.
  ///
  /// - Returns: the error's message, nil where there was a value.
  @discardableResult
  public func refusal(of bytes: [UInt8]) -> String? {
    do {
      try read(bytes)
      return nil
    } catch {
      let isOwn =
        error is JSONError || error is CheckpointError || error is TokenizerError
        || error is AudioError
      precondition(isOwn, "\(name): an error of type \(type(of: error)): \(error)")
      precondition("\(error)".count > 10, "\(name): an error that says nothing: \(error)")
      return "\(error)"
    }
  }
}

/// A folder of this process for the readers that take a path; TMPDIR says where.
let scratch: String = {
  let folder = NSTemporaryDirectory() + "/fuzz-\(ProcessInfo.processInfo.processIdentifier)"
  try! FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  return folder
}()

/// Writes a file of the scratch folder.
func write(_ bytes: some Collection<UInt8>, to path: String) {
  let file = fopen(path, "wb")!
  let contiguous = Array(bytes)
  precondition(fwrite(contiguous, 1, contiguous.count, file) == contiguous.count)
  fclose(file)
}
