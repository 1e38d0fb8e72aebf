// What a run of an experiment on this machine printed: its uncompared record in build/.

import Foundation
import JSON

struct RunRecord: Equatable {
  struct Event: Equatable {
    let kind: String
    let name: String
    let text: String
  }

  let events: [Event]

  /// The record of the paper's own run; nil where there is none, where it was a quick one or one of the reader's
  /// own, or where a control failed and nothing was written.
  init?(reading path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    let json = try JSON(parsing: [UInt8](data), name: path)
    guard json["published"]?.bool == true, json["quick"] == nil,
      json["own"]?.members?.isEmpty ?? true, let events = json["events"]?.elements
    else { return nil }
    self.events = try events.map {
      Event(kind: try $0.string("kind"), name: try $0.string("name"), text: try $0.string("text"))
    }
  }

  init(events: [Event]) { self.events = events }
}
