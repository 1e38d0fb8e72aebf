// PyTorch's own files (.bin, .pt, .pth): a ZIP archive with one pickle that says which numbers of
// which member each tensor is.

import JSON
import Tensor

/// An opened file of torch.save.
public final class TorchFile: WeightFile {
  public let path: String
  public let entries: [String: WeightEntry]
  public let map: MappedFile

  /// Maps the file and checks every tensor: inside its member, with sizes that agree.
  ///
  /// Dictionaries in dictionaries are taken apart, and names that many files put around a state
  /// dictionary ("model", "state_dict", "model_state_dict") are left out.
  public init(path: String) throws {
    self.path = path
    map = try MappedFile(path)
    let bytes = UnsafeRawBufferPointer(start: map.start, count: map.size)
    do { entries = try TorchFile.entries(bytes) } catch let error as CheckpointError {
      throw CheckpointError("\(path): \(error). Fetch it again, or convert it to safetensors.")
    }
  }

  static func entries(_ bytes: UnsafeRawBufferPointer) throws -> [String: WeightEntry] {
    guard bytes.count >= 4, bytes[0] == 0x50, bytes[1] == 0x4B else {
      throw CheckpointError(
        "not a PyTorch archive; files older than PyTorch 1.6 have another format, load and save "
          + "them once with a newer one")
    }
    let members = try zipMembers(bytes)
    guard let pickle = members.first(where: { $0.key.hasSuffix("/data.pkl") }) else {
      throw CheckpointError("not a PyTorch archive: it has no data.pkl")
    }
    let root = pickle.key.dropLast("data.pkl".count)
    if let order = members[root + "byteorder"], bytes[order].elementsEqual("big".utf8) {
      throw CheckpointError("its numbers are big-endian, which cannot be read")
    }
    var entries: [String: WeightEntry] = [:]
    // Dictionaries that hold each other twice and more would double the names at every depth.
    var room = 64 * pickle.value.count
    func collect(_ value: PickleValue, _ name: String, _ depth: Int) throws {
      switch value {
      case .tensor(let tensor):
        entries[name] = try entry(tensor, name, members, String(root))
      case .dictionary(let dictionary) where depth < 16:
        for (key, value) in dictionary.items {
          room -= 1 + name.utf8.count
          guard room > 0 else {
            throw CheckpointError("its dictionaries hold each other too often")
          }
          guard case .string(let key) = key else { continue }
          let wraps = depth == 0 && ["model", "state_dict", "model_state_dict"].contains(key)
          var isDictionary = false
          if case .dictionary = value { isDictionary = true }
          let inner = wraps && isDictionary ? name : name.isEmpty ? key : "\(name).\(key)"
          try collect(value, inner, depth + 1)
        }
      default: break
      }
    }
    try PickleReader.read(Array(bytes[pickle.value])) { try collect($0, "", 0) }
    return entries
  }

  private static func entry(
    _ tensor: PickleTensor, _ name: String, _ members: [String: Range<Int>], _ root: String
  ) throws -> WeightEntry {
    func bad(_ reason: String) -> CheckpointError {
      CheckpointError("tensor \(quoted(name)) \(reason)")
    }
    guard let member = members[root + "data/" + tensor.storage.member] else {
      throw bad("lies in a member that is missing")
    }
    guard tensor.shape.count == tensor.strides.count, tensor.offset >= 0,
      tensor.shape.allSatisfy({ $0 >= 0 && $0 < 1 << 40 }),
      tensor.strides.allSatisfy({ $0 >= 0 && $0 < 1 << 40 })
    else { throw bad("has a bad shape") }
    let isEmpty = tensor.shape.contains(0)
    let count = tensor.shape.reduce(1.0) { $0 * Double(max($1, 1)) }
    guard count < 0x1p44 else { throw bad("has a shape of \(tensor.shape)") }
    // The last number that it reaches.
    let last = zip(tensor.shape, tensor.strides).reduce(Double(tensor.offset)) {
      $0 + Double(max($1.0 - 1, 0)) * Double($1.1)
    }
    let width = tensor.storage.type.bytes
    guard isEmpty || (last + 1) * Double(width) <= Double(member.count) else {
      throw bad("ends behind its numbers; the file is truncated")
    }
    guard isEmpty || count * Double(width) <= Double(member.count) else {
      throw bad("repeats its numbers (an expanded view); save it as a tensor of its own")
    }
    var step = 1
    var ordered = true
    for (size, stride) in zip(tensor.shape, tensor.strides).reversed() {
      if size != 1 && stride != step { ordered = false }
      step *= max(size, 1)
    }
    let start = member.lowerBound + (isEmpty ? 0 : tensor.offset * width)
    return WeightEntry(
      type: tensor.storage.type, shape: tensor.shape, bytes: start..<member.upperBound,
      strides: ordered || isEmpty ? nil : tensor.strides)
  }
}
