// A checkpoint is a folder in the published Hugging Face layout.

import Glibc
import JSON
import Tensor

/// The files of a checkpoint folder: config.json and model.safetensors, or shards with their index.
public struct Checkpoint: Sendable {
  public let folder: String
  public let config: JSON
  private let files: [Safetensors]
  private let home: [String: Int]

  public init(folder: String) throws {
    self.folder = folder
    config = try readJSON("\(folder)/config.json")
    guard config.members != nil else {
      throw CheckpointError("\(folder)/config.json: should be a JSON object; fetch it again")
    }
    let indexPath = "\(folder)/model.safetensors.index.json"
    if access(indexPath, F_OK) == 0 {
      let index = try readJSON(indexPath)
      guard let map = index["weight_map"]?.members else {
        throw CheckpointError("\(indexPath): has no \"weight_map\"; fetch it again")
      }
      let names = Set(map.values.compactMap(\.string)).sorted()
      files = try names.map { try Safetensors(path: "\(folder)/\($0)") }
      for (tensor, file) in map {
        guard let i = names.firstIndex(of: file.string ?? ""), files[i].entries[tensor] != nil
        else {
          throw CheckpointError(
            "\(indexPath): \"\(tensor)\" is not in \(file.string ?? "a file"); "
              + "the index and the shards do not belong together, fetch them again")
        }
      }
    } else {
      files = [try Safetensors(path: "\(folder)/model.safetensors")]
    }
    var home: [String: Int] = [:]
    for (i, file) in files.enumerated() { for name in file.entries.keys { home[name] = i } }
    self.home = home
  }

  public var tensorNames: [String] { home.keys.sorted() }

  /// The tensor of the first of `names` that is there.
  ///
  /// - Throws: where none is there, its shape is not `shape`, or it holds a NaN or an infinity.
  public func tensor(_ names: [String], shape: [Int]) throws -> Tensor {
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
    let tensor = try file.tensor(name)
    guard tensor.isFinite else {
      throw CheckpointError(
        "\(file.path): \"\(name)\" holds a NaN or an infinity; fetch or train the weights again")
    }
    return tensor
  }

  public func contains(_ names: [String]) -> Bool { names.contains { home[$0] != nil } }
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
