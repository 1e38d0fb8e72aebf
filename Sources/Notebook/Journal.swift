// What a cell has computed so far, on disk.
//
// Goals, in order: a value that is read back is the value that was written; a crash at any moment
// loses only what was being computed; a change of code makes every stored value unknown.
//
//     file     "TAPCELL1", digest of the program [32], records
//     record   length of the value [4], key [32], value, first bytes of the record's digest [8]

import FoundationEssentials
import Glibc
import Synchronization

/// An append-only file of values, each under a digest as its key.
final class Journal: Sendable {
  /// The values that were there when the journal was opened.
  let stored: [Digest: [UInt8]]

  private let path: String
  private let file: Int32

  /// Where the next record starts.
  private let end: Mutex<Int>

  private static let magic = Array("TAPCELL1".utf8)
  private static let headerSize = 40
  private static let checkSize = 8

  /// Opens the journal, cuts off a record that a crash left incomplete, and forgets the values of
  /// another program.
  init(at path: String, program: Digest) throws {
    self.path = path
    let header = Journal.magic + program.bytes
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard file >= 0 else { throw Failure.system("cannot open \(path)") }
    do {
      guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
        throw Failure("\(path): another run is under way with these values; wait for its end")
      }
      let (values, size) = Journal.records(in: try contents(of: path), header: header)
      guard ftruncate(file, size) == 0, lseek(file, size, SEEK_SET) >= 0 else {
        throw Failure.system("cannot cut \(path)")
      }
      if size == 0 { try writeAll(header, to: file) }
      stored = values
      end = Mutex(max(size, header.count))
    } catch {
      close(file)
      throw error
    }
  }

  deinit { close(file) }

  /// Adds a value; when this returns, the next run has it.
  func append(_ value: [UInt8], for key: Digest) throws {
    guard let length = UInt32(exactly: value.count) else {
      throw Failure("cannot store a value of \(value.count) bytes in \(path)")
    }
    var record = withUnsafeBytes(of: length.littleEndian) { Array($0) }
    record.reserveCapacity(4 + 32 + value.count + Journal.checkSize)
    record += key.bytes
    record += value
    record += Digest(of: record).bytes.prefix(Journal.checkSize)
    try end.withLock { end in
      do {
        try writeAll(record, to: file)
        end += record.count
      } catch {
        // Take back what was written of it, so that a record that follows can be read.
        _ = ftruncate(file, end)
        lseek(file, end, SEEK_SET)
        throw Failure("cannot store a value in \(path): \(error)")
      }
    }
  }

  /// How many values a journal holds for this program, without opening it.
  static func count(at path: String, program: Digest) -> Int {
    guard let bytes = try? contents(of: path) else { return 0 }
    return records(in: bytes, header: magic + program.bytes).values.count
  }

  /// The complete records, and how far they reach; nothing where the header is another.
  private static func records(
    in bytes: [UInt8], header: [UInt8]
  ) -> (values: [Digest: [UInt8]], size: Int) {
    guard bytes.starts(with: header) else { return ([:], 0) }
    var values: [Digest: [UInt8]] = [:]
    var start = headerSize
    while start + 36 + checkSize <= bytes.count {
      let length = (0..<4).reduce(0) { $0 | Int(bytes[start + $1]) << (8 * $1) }
      let valueEnd = start + 36 + length
      guard valueEnd + checkSize <= bytes.count else { break }
      let check = Digest(of: bytes[start..<valueEnd]).bytes.prefix(checkSize)
      guard check.elementsEqual(bytes[valueEnd..<valueEnd + checkSize]) else { break }
      let key = Digest(stored: bytes[start + 4..<start + 36])
      values[key] = Array(bytes[start + 36..<valueEnd])
      start = valueEnd + checkSize
    }
    return (values, start)
  }
}

// ## Values as bytes

/// The bytes of a value, from which ``decoded(_:from:)`` makes the same value, bit for bit.
///
/// Arrays of numbers are their memory. All else is JSON, where numbers have as many digits as it
/// takes to read the same bits back, -0 included (which a binary property list merges with 0).
/// Only the payload of a NaN is lost.
func encoded<Value: Encodable>(_ value: Value) throws -> [UInt8] {
  if Value.self == [Float].self { return (value as! [Float]).withUnsafeBytes { Array($0) } }
  if Value.self == [Double].self { return (value as! [Double]).withUnsafeBytes { Array($0) } }
  let encoder = JSONEncoder()
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  return Array(try encoder.encode([value]))
}

func decoded<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
  if type == [Float].self { return numbers(bytes, 0 as Float) as! Value }
  if type == [Double].self { return numbers(bytes, 0 as Double) as! Value }
  let decoder = JSONDecoder()
  decoder.nonConformingFloatDecodingStrategy = .convertFromString(
    positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  return try decoder.decode([Value].self, from: Data(bytes))[0]
}

private func numbers<Number: BinaryFloatingPoint>(_ bytes: [UInt8], _ zero: Number) -> [Number] {
  let count = bytes.count / MemoryLayout<Number>.stride
  var numbers = [Number](repeating: zero, count: count)
  numbers.withUnsafeMutableBytes { $0.copyBytes(from: bytes.prefix($0.count)) }
  return numbers
}
