// Timers: order, periods, cancelling, starting anew, wrong ones; says each that fires. PUT /clock/{n} starts a scene.
#include <thingspire.h>

static int32_t scene, ticks;
static uint64_t begin;

static void say(const char *what, int32_t number) {
  ts_line line = {0};
  ts_line_text(&line, what);
  ts_line_text(&line, " ");
  ts_line_number(&line, number);
  ts_line_log(&line);
}

TS_HANDLER(put) {
  ts_parameter_number(0, &scene);
  ticks = 0;
  begin = ts_now();
  switch (scene) {
    case 0: // in order of their times, whatever their numbers
      ts_timer(0, 90, 0);
      ts_timer(1, 50, 0);
      ts_timer(2, 10, 0);
      ts_timer(3, 130, 0);
      break;
    case 1: ts_timer(1, 20, 25); break; // three times, then it stops itself
    case 2: // stopped before, and started anew
      ts_timer(0, 10, 0);
      ts_timer(0, 0, 0);
      ts_timer(1, 10, 0);
      ts_timer(1, 60, 0);
      ts_timer(2, 40, 0);
      break;
    case 3: ts_timer(3, 0, 15); break; // at once, then with a period
    case 4:
      say("set", ts_timer(4, 1, 0));
      say("set", ts_timer(0xffffffff, 1, 0));
      say("stop", ts_timer(0, 0, 0));
      say("far", ts_timer(2, 0xf0000000, 0));
      say("stop", ts_timer(2, 0, 0));
      break;
    case 5: ts_timer(0, 5, 0); break; // a timer that starts another
  }
  return ts_reply(TS_CHANGED, 0);
}

TS_ON_TIMER {
  say("timer", (int32_t)timer);
  ticks++;
  if (scene == 1 && ticks == 3) {
    // Periods are kept: the third is due 70 ms after the beginning.
    uint32_t late = (uint32_t)(ts_now() - begin) / 1000;
    say("in time", late >= 69);
    ts_timer(1, 0, 0);
  }
  if (scene == 3 && ticks == 3) ts_timer(3, 0, 0);
  if (scene == 5 && ticks < 4) ts_timer((timer + 1) % 4, 5, 0);
}
