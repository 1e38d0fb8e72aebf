// The part of Python's pickle that files of weights are written in. Nothing is executed: a global is
// a name, and only those that make tensors and containers are known.

/// A value of a pickle.
enum PickleValue {
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  case string(String)
  case bytes
  case list(PickleList)
  case tuple(PickleList)
  case dictionary(PickleDictionary)
  case global(String)
  case storage(PickleStorage)
  case tensor(PickleTensor)
  case mark
}

/// Containers are filled after they are made, and may hold themselves.
final class PickleList {
  var items: [PickleValue]
  init(_ items: [PickleValue] = []) { self.items = items }
}
final class PickleDictionary { var items: [(key: PickleValue, value: PickleValue)] = [] }

/// A member of the archive that holds numbers.
struct PickleStorage {
  let type: NumberType
  let member: String
  let count: Int
}

/// A tensor: which numbers of a storage it is.
struct PickleTensor {
  let storage: PickleStorage
  let offset: Int
  let shape: [Int]
  let strides: [Int]
}

/// Reads a pickle.
struct PickleReader {
  private let bytes: [UInt8]
  private var at = 0
  private var stack: [PickleValue] = []
  private var memo: [Int: PickleValue] = [:]
  private var lists: [PickleList] = []
  private var dictionaries: [PickleDictionary] = []

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Calls `body` with the value, which lasts no longer: the containers are emptied one by one, since
  /// letting go of thousands inside each other at once would overrun the stack.
  static func read(_ bytes: [UInt8], _ body: (PickleValue) throws -> Void) throws {
    var reader = PickleReader(bytes)
    defer {
      for list in reader.lists { list.items = [] }
      for dictionary in reader.dictionaries { dictionary.items = [] }
    }
    try body(try reader.run())
  }

  private mutating func list(_ items: [PickleValue] = []) -> PickleList {
    lists.append(PickleList(items))
    return lists[lists.count - 1]
  }

  private mutating func dictionary() -> PickleDictionary {
    dictionaries.append(PickleDictionary())
    return dictionaries[dictionaries.count - 1]
  }

  private func bad(_ reason: String) -> CheckpointError {
    CheckpointError("not a readable pickle: \(reason)")
  }

  private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
    guard count >= 0, count <= bytes.count - at else { throw bad("it is truncated") }
    defer { at += count }
    return bytes[at..<at + count]
  }

  private mutating func number(_ width: Int) throws -> Int {
    let value = try take(width).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard value < 1 << 62 else { throw bad("a length of \(value)") }
    return Int(value)
  }

  private mutating func line() throws -> String {
    guard let end = bytes[at...].firstIndex(of: 10) else { throw bad("it is truncated") }
    defer { at = end + 1 }
    return String(decoding: bytes[at..<end], as: UTF8.self)
  }

  private mutating func pop() throws -> PickleValue {
    guard let value = stack.popLast() else { throw bad("its stack is empty") }
    return value
  }

  /// What lies above the last mark.
  private mutating func popToMark() throws -> [PickleValue] {
    let mark = stack.lastIndex { if case .mark = $0 { true } else { false } }
    guard let mark else { throw bad("a mark is missing") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[(mark + 1)...])
  }

  private mutating func run() throws -> PickleValue {
    while true {
      let code = try take(1).first!
      if code == UInt8(ascii: ".") { return try pop() }
      try step(code)
    }
  }

  private mutating func step(_ code: UInt8) throws {
    switch code {
    case 0x80: _ = try take(1)  // PROTO
    case 0x95: _ = try take(8)  // FRAME
    case UInt8(ascii: "("): stack.append(.mark)
    case UInt8(ascii: "0"): _ = try pop()
    case UInt8(ascii: "1"): _ = try popToMark()
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "K"): stack.append(.int(try number(1)))
    case UInt8(ascii: "M"): stack.append(.int(try number(2)))
    case UInt8(ascii: "J"):
      stack.append(.int(Int(Int32(truncatingIfNeeded: try number(4)))))
    case 0x8A: try long(number(1))
    case 0x8B: try long(number(4))
    case UInt8(ascii: "G"):
      let bits = try take(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      stack.append(.float(Double(bitPattern: bits)))
    case UInt8(ascii: "X"): try text(number(4))
    case 0x8C: try text(number(1))
    case 0x8D: try text(number(8))
    case UInt8(ascii: "T"): try text(number(4))
    case UInt8(ascii: "U"): try text(number(1))
    case UInt8(ascii: "B"):
      _ = try take(number(4))
      stack.append(.bytes)
    case UInt8(ascii: "C"):
      _ = try take(number(1))
      stack.append(.bytes)
    case UInt8(ascii: "]"): stack.append(.list(list()))
    case UInt8(ascii: "}"): stack.append(.dictionary(dictionary()))
    case UInt8(ascii: ")"): stack.append(.tuple(list()))
    case 0x85, 0x86, 0x87:
      let count = Int(code) - 0x84
      guard stack.count >= count else { throw bad("its stack is empty") }
      let items = Array(stack.suffix(count))
      stack.removeLast(count)
      stack.append(.tuple(list(items)))
    case UInt8(ascii: "t"): stack.append(.tuple(list(try popToMark())))
    case UInt8(ascii: "l"): stack.append(.list(list(try popToMark())))
    case UInt8(ascii: "d"):
      let dictionary = dictionary()
      try fill(dictionary, try popToMark())
      stack.append(.dictionary(dictionary))
    // What goes into a container is popped before the container below it is looked at.
    case UInt8(ascii: "a"):
      let item = try pop()
      try append([item])
    case UInt8(ascii: "e"):
      let items = try popToMark()
      try append(items)
    case UInt8(ascii: "s"):
      let value = try pop()
      let key = try pop()
      try set([key, value])
    case UInt8(ascii: "u"):
      let items = try popToMark()
      try set(items)
    case UInt8(ascii: "q"): memo[try number(1)] = try top()
    case UInt8(ascii: "r"): memo[try number(4)] = try top()
    case 0x94: memo[memo.count] = try top()
    case UInt8(ascii: "h"): try recall(number(1))
    case UInt8(ascii: "j"): try recall(number(4))
    case UInt8(ascii: "c"): stack.append(.global("\(try line()).\(try line())"))
    case 0x93:
      guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
        throw bad("a global without a name")
      }
      stack.append(.global("\(module).\(name)"))
    case UInt8(ascii: "Q"): stack.append(try storage(try pop()))
    case UInt8(ascii: "R"), 0x81:
      let arguments = try pop()
      stack.append(try called(try pop(), arguments))
    case UInt8(ascii: "b"): _ = try pop()  // BUILD: attributes of an object, not needed
    default: throw bad("it has an instruction of code \(code), which files of weights do not have")
    }
  }

  private func top() throws -> PickleValue {
    guard let value = stack.last else { throw bad("its stack is empty") }
    return value
  }

  private mutating func recall(_ index: Int) throws {
    guard let value = memo[index] else { throw bad("it recalls what it never kept") }
    stack.append(value)
  }

  private mutating func text(_ count: Int) throws {
    stack.append(.string(String(decoding: try take(count), as: UTF8.self)))
  }

  private mutating func long(_ count: Int) throws {
    let digits = try take(count)
    guard count <= 8 else { throw bad("a number of \(count) bytes") }
    var value = digits.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    if let last = digits.last, last >= 0x80, count < 8 { value |= ~0 << UInt64(8 * count) }
    stack.append(.int(Int(bitPattern: UInt(value))))
  }

  private func append(_ items: [PickleValue]) throws {
    guard case .list(let list) = try top() else { throw bad("it appends to what is no list") }
    list.items += items
  }

  private func set(_ items: [PickleValue]) throws {
    guard case .dictionary(let dictionary) = try top() else {
      throw bad("it sets an item of what is no dictionary")
    }
    try fill(dictionary, items)
  }

  private func fill(_ dictionary: PickleDictionary, _ items: [PickleValue]) throws {
    guard items.count % 2 == 0 else { throw bad("a key without a value") }
    for i in stride(from: 0, to: items.count, by: 2) {
      dictionary.items.append((items[i], items[i + 1]))
    }
  }
}

extension PickleReader {
  /// The kinds of storages, by PyTorch's names.
  private static let storages: [String: NumberType] = [
    "torch.FloatStorage": .float32, "torch.HalfStorage": .float16,
    "torch.BFloat16Storage": .bfloat16, "torch.DoubleStorage": .float64,
    "torch.LongStorage": .int64, "torch.IntStorage": .int32, "torch.ShortStorage": .int16,
    "torch.CharStorage": .int8, "torch.ByteStorage": .uint8, "torch.BoolStorage": .bool,
  ]

  /// A persistent id: ("storage", type, member, device, count).
  private func storage(_ id: PickleValue) throws -> PickleValue {
    guard case .tuple(let tuple) = id, case let parts = tuple.items, parts.count == 5,
      case .string("storage") = parts[0], case .global(let name) = parts[1],
      case .string(let member) = parts[2], case .int(let count) = parts[4], count >= 0
    else { throw bad("a reference that is no storage") }
    guard let type = PickleReader.storages[name] else {
      let known = PickleReader.storages.keys.sorted().joined(separator: ", ")
      throw bad("numbers of type \(name); \(known) can be read")
    }
    return .storage(PickleStorage(type: type, member: member, count: count))
  }

  /// The few calls that files of weights make.
  private mutating func called(_ function: PickleValue, _ arguments: PickleValue) throws
    -> PickleValue
  {
    guard case .global(let name) = function, case .tuple(let tuple) = arguments else {
      throw bad("it calls what is no function")
    }
    let arguments = tuple.items
    switch name {
    case "collections.OrderedDict", "argparse.Namespace", "builtins.dict":
      return .dictionary(dictionary())
    case "builtins.set", "builtins.list": return .list(list())
    case "torch._utils._rebuild_parameter":
      guard let first = arguments.first else { throw bad("a parameter without a tensor") }
      return first
    case "torch._utils._rebuild_tensor_v2":
      func sizes(_ value: PickleValue) -> [Int]? {
        guard case .tuple(let tuple) = value else { return nil }
        let numbers = tuple.items.compactMap { if case .int(let n) = $0 { n } else { nil } }
        return numbers.count == tuple.items.count ? numbers : nil
      }
      guard arguments.count >= 4, case .storage(let storage) = arguments[0],
        case .int(let offset) = arguments[1], let shape = sizes(arguments[2]),
        let strides = sizes(arguments[3])
      else { throw bad("a tensor without storage, offset, shape and strides") }
      return .tensor(
        PickleTensor(storage: storage, offset: offset, shape: shape, strides: strides))
    default:
      throw bad(
        "it asks for \(name), which is refused: only tensors and plain containers are read, nothing "
          + "is run; save the state dictionary alone, or convert the file to safetensors")
    }
  }
}
