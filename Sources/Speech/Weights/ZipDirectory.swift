// The directory of a ZIP archive, as far as PyTorch's files need it: members that are stored, not
// compressed, also beyond 4 GB.

import JSON

/// The members of a mapped archive, by name, as stretches of the file.
func zipMembers(_ bytes: UnsafeRawBufferPointer) throws -> [String: Range<Int>] {
  func bad(_ reason: String) -> CheckpointError {
    CheckpointError("not a valid PyTorch archive: \(reason)")
  }
  /// A little-endian number; nil where it lies outside the file.
  func number(_ offset: Int, _ width: Int) throws -> Int {
    guard offset >= 0, offset <= bytes.count - width else { throw bad("it is truncated") }
    var value: UInt64 = 0
    for i in 0..<width { value |= UInt64(bytes[offset + i]) << UInt64(8 * i) }
    guard value < 1 << 62 else { throw bad("it holds a size of \(value)") }
    return Int(value)
  }
  // The directory's end record is the last thing in the file, but for a comment.
  let searched = max(0, bytes.count - 22 - 65_535)
  guard bytes.count >= 22,
    let end = stride(from: bytes.count - 22, through: searched, by: -1).first(where: {
      bytes[$0] == 0x50 && bytes[$0 + 1] == 0x4B && bytes[$0 + 2] == 5 && bytes[$0 + 3] == 6
    })
  else { throw bad("it has no directory; the file is truncated") }
  var (count, offset) = (try number(end + 10, 2), try number(end + 16, 4))
  if count == 0xFFFF || offset == 0xFFFF_FFFF {
    guard end >= 20, try number(end - 20, 4) == 0x0706_4B50 else {
      throw bad("its 64-bit directory is missing")
    }
    let record = try number(end - 20 + 8, 8)
    guard try number(record, 4) == 0x0606_4B50 else { throw bad("its directory is damaged") }
    (count, offset) = (try number(record + 32, 8), try number(record + 48, 8))
  }
  guard count <= bytes.count / 46 else { throw bad("its directory is damaged") }
  var members: [String: Range<Int>] = [:]
  for _ in 0..<count {
    guard try number(offset, 4) == 0x0201_4B50 else { throw bad("its directory is damaged") }
    let (method, nameLength) = (try number(offset + 10, 2), try number(offset + 28, 2))
    let (extraLength, commentLength) = (try number(offset + 30, 2), try number(offset + 32, 2))
    var (packed, size) = (try number(offset + 20, 4), try number(offset + 24, 4))
    var start = try number(offset + 42, 4)
    _ = try number(offset + 46 + nameLength + extraLength - 1, 1)
    let name = String(
      decoding: bytes[(offset + 46)..<(offset + 46 + nameLength)], as: UTF8.self)
    // Sizes beyond 32 bits stand in a field of their own, those that need it, in this order.
    var field = offset + 46 + nameLength
    let fields = field + extraLength
    while field + 4 <= fields {
      let (id, length) = (try number(field, 2), try number(field + 2, 2))
      if id == 1 {
        var place = field + 4
        for (isLong, set) in [
          (size == 0xFFFF_FFFF, { size = $0 }), (packed == 0xFFFF_FFFF, { packed = $0 }),
          (start == 0xFFFF_FFFF, { start = $0 }),
        ] as [(Bool, (Int) -> Void)] where isLong {
          guard place + 8 <= field + 4 + length else { throw bad("its directory is damaged") }
          set(try number(place, 8))
          place += 8
        }
      }
      field += 4 + length
    }
    guard method == 0, packed == size else {
      throw bad("\(quoted(name)) is compressed; save the file again with torch.save")
    }
    guard try number(start, 4) == 0x0403_4B50 else { throw bad("\(quoted(name)) is damaged") }
    let data = start + 30 + (try number(start + 26, 2)) + (try number(start + 28, 2))
    guard data <= bytes.count, size <= bytes.count - data else {
      throw bad("\(quoted(name)) ends behind the end of the file; it is truncated")
    }
    members[name] = data..<data + size
    offset += 46 + nameLength + extraLength + commentLength
  }
  return members
}
