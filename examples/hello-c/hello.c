// A WASI command: prints through wasi-libc, floats included.
#include <math.h>
#include <stdio.h>

int main(void) {
  printf("Hello from WebAssembly on the ESP32\n");
  for (int degrees = 0; degrees <= 90; degrees += 30) {
    printf("sin(%2d) = %.6f\n", degrees, sin(degrees * 3.14159265358979323846 / 180.0));
  }
  return 0;
}
