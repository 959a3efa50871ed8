// Closes every window of a display as its close button would.
#include <X11/Xlib.h>
#include <stdio.h>
#include <string.h>

static int close_below(Display *display, Window window) {
    Atom protocols = XInternAtom(display, "WM_PROTOCOLS", False), delete = XInternAtom(display, "WM_DELETE_WINDOW", False);
    Atom *known = NULL;
    Window root, parent, *children = NULL;
    int count = 0, closed = 0;
    unsigned int below = 0;
    XWindowAttributes look;
    if (XGetWMProtocols(display, window, &known, &count)) {
        for (int i = 0; i < count; i++) {
            if (known[i] != delete || !XGetWindowAttributes(display, window, &look) || look.map_state != IsViewable) continue;
            XEvent event;
            memset(&event, 0, sizeof event);
            event.xclient.type = ClientMessage;
            event.xclient.window = window;
            event.xclient.message_type = protocols;
            event.xclient.format = 32;
            event.xclient.data.l[0] = (long)delete;
            XSendEvent(display, window, False, NoEventMask, &event);
            closed++;
        }
        XFree(known);
    }
    if (XQueryTree(display, window, &root, &parent, &children, &below) && children) {
        for (unsigned int i = 0; i < below; i++) closed += close_below(display, children[i]);
        XFree(children);
    }
    return closed;
}

int main(void) {
    Display *display = XOpenDisplay(NULL);
    if (!display) return 1;
    int closed = close_below(display, DefaultRootWindow(display));
    XSync(display, False);
    XCloseDisplay(display);
    printf("%d\n", closed);
    return closed == 0;
}
