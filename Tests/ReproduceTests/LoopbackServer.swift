// A server of files on this machine, for what fetches them: right, cut short, or not there.

import Foundation

/// Answers requests at 127.0.0.1 until it is gone, at a port of the system's choosing.
final class LoopbackServer: Sendable {
  /// What a path gives.
  struct Answer: Sendable {
    let bytes: [UInt8]
    /// What the server says of their number, after which it hangs up.
    var length: Int?
  }

  let address: String
  private let socket: Int32

  init(_ answers: [String: Answer]) throws {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, size) == 0 && listen(socket, 8) == 0
          && getsockname(socket, $0, &size) == 0
      }
    }
    guard isListening else {
      throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
    }
    self.socket = socket
    address = "http://127.0.0.1:\(UInt16(bigEndian: name.sin_port))/"
    Thread.detachNewThread {
      while case let client = accept(socket, nil, nil), client >= 0 {
        LoopbackServer.serve(client, answers)
        close(client)
      }
    }
  }

  deinit {
    shutdown(socket, Int32(SHUT_RDWR))
    close(socket)
  }

  private static func serve(_ client: Int32, _ answers: [String: Answer]) {
    var request: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while !request.suffix(4).elementsEqual("\r\n\r\n".utf8) {
      let count = read(client, &buffer, buffer.count)
      guard count > 0, request.count < 1 << 16 else { return }
      request += buffer[..<count]
    }
    let words = String(decoding: request, as: UTF8.self).split(separator: " ")
    let answer = words.count > 1 ? answers[String(words[1].dropFirst())] : nil
    let status = answer == nil ? "404 Not Found" : "200 OK"
    let length = answer.map { $0.length ?? $0.bytes.count } ?? 0
    var out = Array(
      "HTTP/1.1 \(status)\r\nContent-Length: \(length)\r\nConnection: close\r\n\r\n".utf8)
    out += answer?.bytes ?? []
    var sent = 0
    while sent < out.count {
      let count = out[sent...].withUnsafeBytes {
        send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      sent += count
    }
  }
}
