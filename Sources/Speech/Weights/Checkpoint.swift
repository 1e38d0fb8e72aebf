// A checkpoint is a folder in the published Hugging Face layout, one for CTranslate2, or one with a
// GGUF file.

import Glibc
import JSON
import Synchronization
import Tensor

/// The files of a checkpoint folder: config.json and the weights, which are safetensors or PyTorch's
/// files, whole or in shards with their index, and beside them the files of other parts of the model;
/// or a Whisper's model.bin for CTranslate2. A language model may also be one GGUF file, whose metadata
/// stand for config.json; a Qwen2-Audio may be put together from parts (`CheckpointParts`).
public struct Checkpoint: Sendable {
  public let folder: String
  public let config: JSON
  let files: [any WeightFile]
  private let home: [String: Int]
  private let read = ReadNames()

  public init(folder: String) throws {
    self.init(
      folder: folder, config: try Checkpoint.config(of: folder), files: try Checkpoint.files(folder)
    )
  }

  /// A checkpoint that is put together from files.
  ///
  /// - Parameters:
  ///   - folder: what messages name
  ///   - files: where several hold a tensor of one name, the first counts
  public init(folder: String, config: JSON, files: [any WeightFile]) {
    self.folder = folder
    self.config = config
    self.files = files
    var home: [String: Int] = [:]
    for (i, file) in files.enumerated().reversed() {
      for name in file.entries.keys { home[name] = i }
    }
    self.home = home
  }

  /// What config.json says; of a folder for CTranslate2 or with a GGUF file, what it would say in the
  /// Hugging Face layout.
  static func config(of folder: String) throws -> JSON {
    let path = "\(folder)/config.json"
    if !fileExists(path), let file = try ggufFile(in: folder) {
      return try GGUF(path: file).configuration()
    }
    let config = try readJSON(path)
    guard config.members != nil else {
      throw CheckpointError("\(path): should be a JSON object; fetch it again")
    }
    return config["model_type"] == nil && CTranslate2.isFolder(folder)
      ? try CTranslate2.config(of: folder, own: config) : config
  }

  private static func files(_ folder: String) throws -> [any WeightFile] {
    if let parts = try CheckpointParts(of: folder) { return try parts.files() }
    var files: [any WeightFile] = []
    for name in ["model.safetensors", "pytorch_model.bin"] where files.isEmpty {
      if fileExists("\(folder)/\(name).index.json") {
        files = try shards(folder, "\(folder)/\(name).index.json")
      } else if fileExists("\(folder)/\(name)") {
        files = [try opened("\(folder)/\(name)")]
      }
    }
    if CTranslate2.isFolder(folder) { files = [try CTranslate2(path: "\(folder)/model.bin")] }
    // The parts of a model that is published in several files: SALMONN's own weights and BEATs beside
    // Whisper and Vicuna, Moshi's codec beside its transformers.
    let others = try fileNames(in: folder).filter { name in
      name.hasSuffix(".pt") || name.hasSuffix(".pth")
        || (name.hasPrefix("tokenizer") && name.hasSuffix(".safetensors"))
    }
    files += try others.map { try opened("\(folder)/\($0)") }
    if files.isEmpty, let path = try ggufFile(in: folder) {
      files = [try GGUF(path: path).languageModel(prefix: "model.", head: "lm_head.weight")]
    }
    if files.isEmpty {
      throw CheckpointError(
        "\(folder): has no weights; model.safetensors or pytorch_model.bin, or their shards with an "
          + "index, or a language model's .gguf, should be there, fetch them")
    }
    return files
  }

  private static func opened(_ path: String) throws -> any WeightFile {
    path.hasSuffix(".safetensors") ? try Safetensors(path: path) : try TorchFile(path: path)
  }

  private static func shards(_ folder: String, _ indexPath: String) throws -> [any WeightFile] {
    let index = try readJSON(indexPath)
    guard let map = index["weight_map"]?.members else {
      throw CheckpointError("\(indexPath): has no \"weight_map\"; fetch it again")
    }
    guard !map.isEmpty else {
      throw CheckpointError("\(indexPath): \"weight_map\" names no tensors; fetch it again")
    }
    let names = Set(map.values.compactMap(\.string)).sorted()
    if let name = names.first(where: { $0.contains("/") }) {
      throw CheckpointError("\(indexPath): the shard \(quoted(name)) is not a file of this folder")
    }
    let files = try names.map { try opened("\(folder)/\($0)") }
    for (tensor, file) in map.sorted(by: { $0.key < $1.key }) {
      guard let i = names.firstIndex(of: file.string ?? ""), files[i].entries[tensor] != nil
      else {
        throw CheckpointError(
          "\(indexPath): \(quoted(tensor)) is not in \(file.string ?? "a file"); "
            + "the index and the shards do not belong together, fetch them again")
      }
    }
    return files
  }

  public var tensorNames: [String] { home.keys.sorted() }

  /// The tensors that nobody has read so far, in order.
  public var unread: [String] { tensorNames.filter { !read.contains($0) } }

  /// The tensor of the first of `names` that is there, as Float32.
  ///
  /// - Throws: where none is there, its shape is not `shape`, or it holds a NaN or an infinity.
  public func tensor(_ names: [String], shape: [Int]) throws -> Tensor {
    let (file, name) = try found(names, shape)
    let tensor = try file.tensor(name)
    guard tensor.isFinite else { throw notFinite(file, name) }
    return tensor
  }

  /// The same, kept in 16 bits where the file does and it is a large matrix, or in blocks.
  public func matrix(_ names: [String], shape: [Int]) throws -> Matrix {
    let (file, name) = try found(names, shape)
    guard let packed = file.packed(name),
      file.entries[name]!.type.format != nil || shape[0] * shape[1] >= Checkpoint.large
    else { return .float(try tensor([name], shape: shape)) }
    guard packed.firstNotFinite == nil else { throw notFinite(file, name) }
    return .packed(packed)
  }

  /// Numbers from which on a matrix stays in 16 bits.
  private static let large = 1 << 20

  private func found(_ names: [String], _ shape: [Int]) throws -> (any WeightFile, String) {
    guard let name = names.first(where: { home[$0] != nil }), let index = home[name] else {
      throw CheckpointError(
        "\(folder): tensor \"\(names[0])\" is missing; "
          + "its \(home.count) tensors are those of another model or incomplete, fetch them again")
    }
    let file = files[index]
    guard file.entries[name]!.shape == shape else {
      throw CheckpointError(
        "\(file.path): \"\(name)\" has shape \(file.entries[name]!.shape), "
          + "config.json asks for \(shape)")
    }
    read.insert(name)
    return (file, name)
  }

  private func notFinite(_ file: any WeightFile, _ name: String) -> CheckpointError {
    CheckpointError(
      "\(file.path): \"\(name)\" holds a NaN or an infinity; fetch or train the weights again")
  }

  public func contains(_ names: [String]) -> Bool { names.contains { home[$0] != nil } }
}

extension Checkpoint {
  /// What a folder holds against what its config.json asks for.
  public struct Audit: Sendable, CustomStringConvertible {
    public var missing: [String]
    public var unexpected: [String]
    /// Names with the shape that was found and the one that was asked for.
    public var misshapen: [(name: String, found: [Int], expected: [Int])]
    /// Bytes of all weights in their files.
    public let bytes: Int
    /// The types of numbers, with how many there are of each.
    public let types: [(type: String, count: Int)]

    public var description: String {
      func list(_ title: String, _ names: [String]) -> [String] {
        if names.isEmpty { return [] }
        let more = names.count > 10 ? ["  and \(names.count - 10) more"] : []
        return ["\(names.count) \(title):"] + names.prefix(10).map { "  \($0)" } + more
      }
      let lines =
        list("missing", missing) + list("unexpected", unexpected)
        + list(
          "of another shape",
          misshapen.map { "\($0.name): \($0.found), config.json asks for \($0.expected)" })
      return lines.isEmpty ? "all weights are there" : lines.joined(separator: "\n")
    }
  }

  /// Compares the files with the parameters of an architecture.
  public func audit(_ config: any ModelConfig) -> Audit {
    var (missing, misshapen): ([String], [(name: String, found: [Int], expected: [Int])]) = ([], [])
    var known: Set<String> = []
    for (name, shape) in config.parameterShapes.sorted(by: { $0.key < $1.key }) {
      let names = config.aliases(of: name)
      guard let found = names.first(where: { home[$0] != nil }), let index = home[found] else {
        if !config.isOptional(name) && config.substitute(for: name) == nil { missing.append(name) }
        continue
      }
      known.insert(found)
      let own = files[index].entries[found]!.shape
      if own != shape { misshapen.append((found, own, shape)) }
    }
    let unexpected = home.keys.filter { !known.contains($0) && !config.ignores($0) }.sorted()
    var (bytes, types) = (0, [String: Int]())
    for (name, index) in home {
      let entry = files[index].entries[name]!
      let count = entry.shape.reduce(1, *)
      bytes += count / entry.type.numbers * entry.type.bytes
      types[entry.type.rawValue, default: 0] += count
    }
    return Audit(
      missing: missing, unexpected: unexpected, misshapen: misshapen, bytes: bytes,
      types: types.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
  }
}

/// Which tensors of a checkpoint were read; copies of the checkpoint share it.
private final class ReadNames: Sendable {
  private let names = Mutex<Set<String>>([])

  func insert(_ name: String) { names.withLock { _ = $0.insert(name) } }
  func contains(_ name: String) -> Bool { names.withLock { $0.contains(name) } }
}

/// The names of the files of a folder, in order.
func fileNames(in folder: String) throws -> [String] {
  guard let directory = opendir(folder) else { throw CheckpointError.unopened(folder) }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names.sorted()
}

/// Reads a JSON file, with an error that names it.
public func readJSON(_ path: String) throws -> JSON {
  guard let file = fopen(path, "rb") else {
    throw CheckpointError.unopened(path)
  }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while case let n = fread(&buffer, 1, buffer.count, file), n > 0 { bytes += buffer[..<n] }
  guard ferror(file) == 0 else { throw CheckpointError("\(path): cannot be read; is it a folder?") }
  return try JSON(parsing: bytes, name: path)
}
